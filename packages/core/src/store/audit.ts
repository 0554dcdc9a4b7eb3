import type { Queryable } from "./database.ts";

/** What somebody did that stands in no run's ledger. */
export type Deed =
  | {
      readonly did: "prune";
      readonly about: { readonly olderThanSeconds: number; readonly status: readonly string[] };
    }
  | { readonly did: "delete"; readonly about: { readonly runId: string } }
  | { readonly did: "schedule"; readonly about: Readonly<Record<string, string | null>> }
  | { readonly did: "unschedule"; readonly about: { readonly name: string } };

const RECORD = /* sql */ `insert into holdfast.audit (by, did, about) values ($1, $2, $3)`;

/** Written in the transaction of what it tells of. */
export async function recordDeed(tx: Queryable, by: string, { did, about }: Deed): Promise<void> {
  await tx.query(RECORD, [by, did, JSON.stringify(about)]);
}
