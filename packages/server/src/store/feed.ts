import type { Queryable } from "@holdfast/core";
import type { Place, Snapshot } from "../cursor.ts";

type Query = Pick<Queryable, "query">;

/** An entry without its large value. */
export interface Told {
  readonly place: Place;
  readonly runId: string;
  readonly agent: string | null;
  readonly epoch: number;
  readonly at: Date;
  readonly kind: string;
  readonly step: string | null;
  /** It was written before, in another run or another database: a fork shares it, or it was imported. */
  readonly isCopy: boolean;
  readonly body: string;
}

/** Does the takeover's worker go on with the run? Whoever only noticed that its owner is dead has no number. */
export const isWorkedOn = (takeover: string): boolean =>
  (JSON.parse(takeover) as { number?: number }).number !== undefined;

const SNAPSHOT = /* sql */ `select pg_current_snapshot()::text as id, now()::text as at`;

export async function takeSnapshot(db: Query): Promise<Snapshot> {
  const { rows } = await db.query<Snapshot>(SNAPSHOT);
  if (!rows[0]) throw new Error("unreachable: a select of two functions has a row");
  return rows[0];
}

// `at` narrows it down to the latest pages, the snapshots decide. A transaction may last: what it wrote says when it
// began, and counts when it is committed. One that lasts for more than ten minutes is not found.
const READ = /* sql */ `
select e.run, e.seq, r.run_id as "runId", r.agent, e.epoch, e.at, e.kind, e.step, e.body,
       r.imported or e.seq <= coalesce(r.fork_seq, 0) as "isCopy"
  from holdfast.entries e
  join holdfast.runs r using (run)
 where e.at > $3::timestamptz - interval '10 minutes'
   and (e.run, e.seq) > ($4::bigint, $5::int)
   and pg_visible_in_snapshot(holdfast.whole_xid(e.xmin, $2::pg_snapshot), $2::pg_snapshot)
   and not pg_visible_in_snapshot(holdfast.whole_xid(e.xmin, $2::pg_snapshot), $1::pg_snapshot)
 order by e.run, e.seq
 limit $6`;

/** What was committed between two snapshots, behind a place. */
export async function readFeed(
  db: Query,
  seen: Snapshot,
  upto: Snapshot,
  behind: Place | undefined,
  limit: number,
): Promise<Told[]> {
  const { run = "0", seq = 0 } = behind ?? {};
  const { rows } = await db.query<Omit<Told, "place"> & Place>(READ, [
    seen.id,
    upto.id,
    seen.at,
    run,
    seq,
    limit,
  ]);
  return rows.map(({ run, seq, ...told }) => ({ ...told, place: { run, seq } }));
}
