import type { Queryable } from "@holdfast/core";
import type { Place } from "../cursor.ts";

const BEFORE = /* sql */ `
select min(at) as "startedAt", count(*) filter (where kind = 'observation')::int as calls
  from holdfast.entries
 where run = $1
   and seq < $2`;

/** When a run began, and how many of its calls were on record before an entry. */
export async function getBefore(
  db: Queryable,
  { run, seq }: Place,
): Promise<{ startedAt: Date; calls: number }> {
  const { rows } = await db.query<{ startedAt: Date | null; calls: number }>(BEFORE, [run, seq]);
  return { startedAt: rows[0]?.startedAt ?? new Date(), calls: rows[0]?.calls ?? 0 };
}
