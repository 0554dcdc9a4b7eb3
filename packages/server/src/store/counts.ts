import type { Queryable } from "@holdfast/core";

const COUNT = /* sql */ `
select status, waiting_on as "waitingOn", count(*)::int as runs
  from holdfast.runs
 where pruned_at is null
 group by status, waiting_on`;

const OLDEST = /* sql */ `
select coalesce(extract(epoch from max(now() - run_at)), 0)::float8 as seconds
  from holdfast.runs
 where status = 'queued'
   and run_at <= now()`;

const WORKERS = /* sql */ `select count(*)::int as alive from holdfast.workers where until > now()`;

export interface Counts {
  readonly runs: readonly { status: string; waitingOn: string | null; runs: number }[];
  /** Since when the run that has been queued longest could have gone. */
  readonly oldestQueuedSeconds: number;
  readonly workersAlive: number;
}

export async function getCounts(db: Queryable): Promise<Counts> {
  const [runs, oldest, workers] = await Promise.all([
    db.query<Counts["runs"][number]>(COUNT),
    db.query<{ seconds: number }>(OLDEST),
    db.query<{ alive: number }>(WORKERS),
  ]);
  return {
    runs: runs.rows,
    oldestQueuedSeconds: oldest.rows[0]?.seconds ?? 0,
    workersAlive: workers.rows[0]?.alive ?? 0,
  };
}
