import type { Command } from "../ledger/entry.ts";
import type { RunStatus } from "../run/status.ts";
import type { Queryable } from "./database.ts";
import { type Lease, rowOf } from "./ledger.ts";

// Everything that counted against the run is reset; its ledger is kept, and so is what it has done.
const REDRIVE = /* sql */ `
with head as (
  update holdfast.runs
     set seq          = seq + 1,
         epoch        = epoch + 1,
         appends      = 0,
         status       = 'queued',
         queued_after = 'retry',
         command      = null,
         crashes      = 0,
         retries      = 0,
         finished_at  = null,
         input_digest = $3
   where run    = $1
     and seq    = $2
     and status in ('failed', 'dead')
     and not inline
     and pruned_at is null
  returning run, seq, epoch
), told as (
  insert into holdfast.entries (run, seq, epoch, at, kind, step, body, value)
  select run, seq, epoch, now(), 'command', null, $4, $5
    from head
), gone as (
  delete from holdfast.dead_letters
   where run in (select run from head)
)
select seq
  from head`;

/** Queues a run anew that failed or is dead, if it stands where it was seen. False: it has moved on. */
export async function redriveRun(
  db: Queryable,
  { run, seq }: Pick<Lease, "run"> & { readonly seq: number },
  fact: Command,
  inputDigest: string | null,
): Promise<boolean> {
  const { body, value } = rowOf(fact);
  return (await db.query(REDRIVE, [run, seq, inputDigest, body, value])).rows.length > 0;
}

const LIST = /* sql */ `
select d.run, r.run_id as "runId", r.agent, r.status, d.reason, d.at
  from holdfast.dead_letters d
  join holdfast.runs r using (run)
 where r.pruned_at is null
   and ($1::text is null or r.agent = $1)
   and ($2::text is null or r.run_id = $2)
 order by d.at desc, d.run desc
 limit $3`;

export interface DeadLetterRow {
  readonly run: string;
  readonly runId: string;
  readonly agent: string;
  readonly status: Extract<RunStatus, "failed" | "dead">;
  readonly reason: "crashes" | "error";
  readonly at: Date;
}

/** The newest first. */
export async function listDeadLetters(
  db: Queryable,
  { agent, runId }: { readonly agent?: string | undefined; readonly runId?: string | undefined },
  limit: number,
): Promise<DeadLetterRow[]> {
  return (await db.query<DeadLetterRow>(LIST, [agent ?? null, runId ?? null, limit])).rows;
}
