import type { Queryable } from "@holdfast/core";

// Runs that have not ended, each found by a partial index: those that have are in no gauge.
const COUNT = /* sql */ `
select 'queued' as status, null as "waitingOn", count(*)::int as runs
  from holdfast.runs
 where status = 'queued'
 union all
select 'running', null, count(*)::int
  from holdfast.runs
 where leased_by is not null
 union all
select 'waiting', waiting_on, count(*)::int
  from holdfast.runs
 where status = 'waiting'
 group by waiting_on`;

// A queued run has been so since its last entry. Of very many, those that were started first are looked at.
const OLDEST = /* sql */ `
select coalesce(extract(epoch from max(now() - e.at)), 0)::float8 as seconds
  from (select run, seq
          from holdfast.runs
         where status = 'queued'
           and command is null
         order by run
         limit 100) r
  join holdfast.entries e using (run, seq)`;

const WORKERS = /* sql */ `select count(*)::int as alive from holdfast.workers where until > now()`;

const DEAD = /* sql */ `select count(*)::int as letters from holdfast.dead_letters`;

export interface Counts {
  readonly runs: readonly { status: string; waitingOn: string | null; runs: number }[];
  /** Of the run that has been queued longest. */
  readonly oldestQueuedSeconds: number;
  readonly workersAlive: number;
  readonly deadLetters: number;
}

export async function getCounts(db: Queryable): Promise<Counts> {
  const [runs, oldest, workers, dead] = await Promise.all([
    db.query<Counts["runs"][number]>(COUNT),
    db.query<{ seconds: number }>(OLDEST),
    db.query<{ alive: number }>(WORKERS),
    db.query<{ letters: number }>(DEAD),
  ]);
  return {
    runs: runs.rows,
    oldestQueuedSeconds: oldest.rows[0]?.seconds ?? 0,
    workersAlive: workers.rows[0]?.alive ?? 0,
    deadLetters: dead.rows[0]?.letters ?? 0,
  };
}
