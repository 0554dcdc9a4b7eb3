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

// A queued run has been so since its last entry, or since its time came. Of very many, those that were started first are looked at.
const OLDEST = /* sql */ `
select coalesce(extract(epoch from max(now() - greatest(e.at, r.due_at))), 0)::float8 as seconds
  from (select run, seq, due_at
          from holdfast.runs
         where status = 'queued'
           and command is null
         order by run
         limit 100) r
  join holdfast.entries e using (run, seq)`;

const WORKERS = /* sql */ `select count(*)::int as alive from holdfast.workers where until > now()`;

const DEAD = /* sql */ `select count(*)::int as letters from holdfast.dead_letters`;

// The newest windows that are open: scopes may be as many as there are customers.
const BUDGETS = /* sql */ `
select scope, per, cap_micros::float8 as cap, spent_micros::float8 as spent, held_micros::float8 as held
  from holdfast.budgets
 where until > now()
 order by starts desc, budget
 limit 1000`;

export interface Counts {
  readonly runs: readonly { status: string; waitingOn: string | null; runs: number }[];
  /** Of the run that has been queued longest. */
  readonly oldestQueuedSeconds: number;
  readonly workersAlive: number;
  readonly deadLetters: number;
  /** Windows of shared budgets that are open, in micro-dollars. */
  readonly budgets: readonly {
    scope: string;
    per: string;
    cap: number | null;
    spent: number;
    held: number;
  }[];
}

export async function getCounts(db: Queryable): Promise<Counts> {
  const [runs, oldest, workers, dead, budgets] = await Promise.all([
    db.query<Counts["runs"][number]>(COUNT),
    db.query<{ seconds: number }>(OLDEST),
    db.query<{ alive: number }>(WORKERS),
    db.query<{ letters: number }>(DEAD),
    db.query<Counts["budgets"][number]>(BUDGETS),
  ]);
  return {
    runs: runs.rows,
    oldestQueuedSeconds: oldest.rows[0]?.seconds ?? 0,
    workersAlive: workers.rows[0]?.alive ?? 0,
    deadLetters: dead.rows[0]?.letters ?? 0,
    budgets: budgets.rows,
  };
}
