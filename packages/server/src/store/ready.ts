import type { Queryable } from "@holdfast/core";

const READY = /* sql */ `select true as ready from holdfast.migrations limit 1`;

export async function isReady(db: Queryable): Promise<boolean> {
  return (await db.query<{ ready: boolean }>(READY)).rows[0]?.ready ?? false;
}
