import { HoldfastError } from "../errors.ts";
import type { After, Takeover } from "../ledger/entry.ts";
import type { WaitingOn } from "../run/status.ts";
import type { Queryable } from "./database.ts";
import { type Append, type Lease, rowOf } from "./ledger.ts";

/** A run that one has just been given, and the seq of the takeover entry that says so. */
export interface Taken {
  readonly lease: Lease;
  readonly seq: number;
}

/** What one has seen of a run's owner, and takes the lease on the strength of. */
export interface Sight {
  readonly epoch: number;
  /** The owner's beats when its session lock was first seen gone: one more since, and it is alive. */
  readonly beats: string | null;
  /** The lock was seen gone for the whole of the grace. */
  readonly gone: boolean;
  /** This process leases the run in the database, but does not work on it: the answer of an earlier take was lost. */
  readonly mine: boolean;
}

// The epoch goes up in the same statement that hands out the lease, and the ledger says so: an intent left open by the
// last holder is in doubt from here on. `epoch = $4` makes it one takeover a sight: of several that saw the same, one
// gets the run. The taker must be alive itself, or its lease would be void at once.
//
// A crash counts from one again where the epoch before has an observation: the run got on.
const TAKE = /* sql */ `
with head as (
  update holdfast.runs r
     set status      = 'running',
         waiting_on  = null,
         epoch       = r.epoch + 1,
         seq         = r.seq + 1,
         appends     = 0,
         append_seq  = r.seq + 1,
         leased_by   = $2,
         finished_at = null,
         retries     = r.retries + case when r.status = 'failed' then 1 else 0 end,
         crashes     = case when r.status <> 'running' or r.leased_by = $2 and $7::boolean then r.crashes
                            when exists (select from holdfast.entries e
                                          where e.run = r.run and e.epoch = r.epoch and e.kind = 'observation') then 1
                            else r.crashes + 1 end
   where r.run   = $1
     and r.epoch = $4
     and exists (select from holdfast.workers w where w.worker = $2 and w.until > now())
     and (   r.status in ('waiting', 'queued', 'failed')
          or r.status = 'running'
             and (   r.leased_by = $2 and $7::boolean
                  or not exists (select from holdfast.workers w where w.worker = r.leased_by and w.until > now())
                  or $6::boolean
                     and exists (select from holdfast.workers w
                                  where w.worker = r.leased_by
                                    and w.beats  = $5::bigint
                                    and holdfast.lock_gone(w.worker, w.locked_in))))
  returning r.run, r.seq, r.epoch
), noted as (
  insert into holdfast.entries (run, seq, epoch, at, kind, step, body, value)
  select run, seq, epoch, now(), 'takeover', null, $3, null
    from head
)
select seq, epoch
  from head`;

/** Takes the run if nobody holds it, or its holder is dead as far as one may say. Undefined: not now, look again. */
export async function takeLease(
  db: Queryable,
  { run, runId }: Pick<Lease, "run" | "runId">,
  { number, name }: { number: number; name: string },
  after: After,
  { epoch, beats, gone, mine }: Sight,
): Promise<Taken | undefined> {
  const takeover: Takeover = { kind: "takeover", worker: name, number, after };
  const { rows } = await db.query<{ seq: number; epoch: number }>(TAKE, [
    run,
    number,
    rowOf(takeover).body,
    epoch,
    beats,
    gone,
    mine,
  ]);
  const [head] = rows;
  return head && { lease: { run, runId, epoch: head.epoch }, seq: head.seq };
}

// It changes nothing, and yet it is an update: a takeover that has looked at this row before it, and locks it after, looks
// again (read committed), and finds the owner's lock held.
const CONFIRM = /* sql */ `
update holdfast.runs
   set appends = appends
 where run    = $1
   and epoch  = $2
   and status = 'running'
returning run`;

const EPOCH = /* sql */ `
select epoch
  from holdfast.runs
 where run = $1`;

/** The lease is still this owner's, and nobody who saw its session lock gone before can take it any more. Throws FENCED. */
export async function confirmLease(db: Queryable, { run, runId, epoch }: Lease): Promise<void> {
  const { rows } = await db.query(CONFIRM, [run, epoch]);
  if (rows.length > 0) return;
  const now = await db.query<{ epoch: number }>(EPOCH, [run]);
  throw new HoldfastError("FENCED", { runId, epoch, current: now.rows[0]?.epoch ?? 0 });
}

// A run parks only where nothing was written behind its owner's back (`seq = $4`): had what it waits for been settled
// meanwhile, nobody would wake it.
const PARK = /* sql */ `
with head as (
  update holdfast.runs
     set seq        = seq + 1,
         appends    = appends + 1,
         append_seq = seq + 1,
         status     = 'waiting',
         waiting_on = $6,
         leased_by  = null
   where run     = $1
     and epoch   = $2
     and appends = $3 - 1
     and seq     = $4
     and status  = 'running'
  returning run, seq, epoch
), noted as (
  insert into holdfast.entries (run, seq, epoch, at, kind, step, body, value)
  select run, seq, epoch, now(), 'note', null, $5, null
    from head
)
select seq
  from head`;

const PARKED = /* sql */ `
select status = 'waiting' as parked
  from holdfast.runs
 where run     = $1
   and epoch   = $2
   and appends = $3`;

/** Gives the lease back and waits. False: something was written meanwhile, or the run was taken; look at it again. */
export async function park(
  db: Queryable,
  { lease, number }: Pick<Append, "lease" | "number">,
  seen: number,
  waitingOn: WaitingOn,
): Promise<boolean> {
  const { body } = rowOf({ kind: "note", note: "parked", waitingOn });
  const { rows } = await db.query(PARK, [lease.run, lease.epoch, number, seen, body, waitingOn]);
  if (rows.length > 0) return true;
  const answered = await db.query<{ parked: boolean }>(PARKED, [lease.run, lease.epoch, number]);
  return answered.rows[0]?.parked ?? false; // the answer of an earlier try was lost
}

// Whoever notices that an inline run's owner is dead marks it, so that what it left open can be seen and settled: there
// is no handler that it could go to. The epoch goes up as at every takeover, and fences the owner should it live. Who was
// seen dead is held against the row once it is locked: it may have been taken by somebody alive in between, whom this
// statement's snapshot does not know.
const NOTICE = /* sql */ `
with seen as materialized (
  select r.run, r.epoch
    from holdfast.runs r
    left join holdfast.workers w on w.worker = r.leased_by
   where r.leased_by is not null
     and r.inline
     and coalesce(w.until, '-infinity') <= now()
   order by r.run
   limit $2
), dead as (
  select r.run
    from seen
    join holdfast.runs r using (run)
   where r.epoch  = seen.epoch
     and r.status = 'running'
   order by r.run
     for no key update of r skip locked
), head as (
  update holdfast.runs r
     set status     = 'waiting',
         waiting_on = 'caller',
         epoch      = r.epoch + 1,
         seq        = r.seq + 1,
         appends    = 0,
         append_seq = r.seq + 1,
         leased_by  = null,
         crashes    = case when exists (select from holdfast.entries e
                                         where e.run = r.run and e.epoch = r.epoch and e.kind = 'observation') then 1
                           else r.crashes + 1 end
    from dead
   where r.run = dead.run
  returning r.run, r.seq, r.epoch
), noted as (
  insert into holdfast.entries (run, seq, epoch, at, kind, step, body, value)
  select run, seq, epoch, now(), 'takeover', null, $1, null
    from head
)
select run
  from head`;

const MOST_NOTICED = 100;

/** Marks inline runs whose owner's time to live is over as waiting for a caller. Gives back how many. */
export async function noticeDead(db: Queryable, worker: string): Promise<number> {
  const { body } = rowOf({ kind: "takeover", worker, after: "crash" });
  const { rows } = await db.query(NOTICE, [body, MOST_NOTICED]);
  return rows.length;
}

const GIVE_BACK = /* sql */ `
update holdfast.runs
   set status     = case when inline then 'waiting' else 'queued' end,
       waiting_on = case when inline then 'caller' end,
       leased_by  = null
 where leased_by = $1
   and run || '/' || epoch = any ($2)`;

/** Gives back leases (`run/epoch`) that this worker holds in the database but not in memory: a take whose answer was lost. */
export async function giveBack(db: Queryable, worker: number, leases: readonly string[]): Promise<void> {
  if (leases.length > 0) await db.query(GIVE_BACK, [worker, leases]);
}
