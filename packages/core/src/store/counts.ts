import type { Queryable } from "./database.ts";

/** A count of calls, of all runs that are counted together, in the window that the database's clock is in. */
export interface Window {
  readonly rule: string;
  /** The tag; empty: none. */
  readonly under: string;
  readonly per: string;
}

const USED = /* sql */ `
select used
  from holdfast.counts
 where rule  = $1
   and under = $2
   and since = date_trunc($3, now(), 'UTC')`;

/** How many calls have gone out. */
export async function usedByAll(db: Queryable, { rule, under, per }: Window): Promise<number> {
  const { rows } = await db.query<{ used: number }>(USED, [rule, under, per]);
  return rows[0]?.used ?? 0;
}
