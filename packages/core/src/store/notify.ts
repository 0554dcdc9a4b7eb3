import type { Queryable } from "./database.ts";

/** What there is to look at. Nothing of any run travels. */
export type Topic = "queued" | "commanded";

export const CHANNEL = "holdfast";

const NOTIFY = /* sql */ `select pg_notify('holdfast', topic) from unnest($1::text[]) as topic`;

export async function notify(db: Queryable, topics: readonly Topic[]): Promise<void> {
  await db.query(NOTIFY, [topics]);
}
