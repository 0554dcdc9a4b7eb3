import { HoldfastError } from "../errors.ts";
import type { After, Fact, Failing, Takeover } from "../ledger/entry.ts";
import type { RunStatus, WaitingOn } from "../run/status.ts";
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

// Something was observed since the last crash, or this is the first.
const GOT_ON = /* sql */ `(r.crashes = 0 or exists (
              select from holdfast.entries e
               where e.run  = r.run
                 and e.kind = 'observation'
                 and e.seq  > coalesce((select max(t.seq)
                                          from holdfast.entries t
                                         where t.run  = r.run
                                           and t.kind = 'takeover'
                                           and holdfast.body_of(t.body) ->> 'after' = 'crash'), 0)))`;

// The epoch goes up in the same statement that hands out the lease, and the ledger says so: an intent left open by the
// last holder is in doubt from here on. `epoch = $4` makes it one takeover a sight: of several that saw the same, one
// gets the run. The taker must be alive itself, or its lease would be void at once.
//
// A crash counts from one again where something was observed since the last one: the run got on.
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
         command     = null,
         finished_at = null,
         retries     = r.retries + case when r.status = 'failed' then 1 else 0 end,
         crashes     = case when r.status <> 'running' or r.leased_by = $2 and $7::boolean then r.crashes
                            when ${GOT_ON} then 1
                            else r.crashes + 1 end
   where r.run   = $1
     and r.epoch = $4
     and (r.command is null or r.status = 'failed')
     and r.pruned_at is null
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
// meanwhile, nobody would wake it. One that was cancelled, and whose owner leaves before it has done so, waits for nothing
// any more: whoever gets it next finds the command in its ledger, and ends it.
const PARK = /* sql */ `
with head as (
  update holdfast.runs
     set seq          = seq + 1,
         appends      = appends + 1,
         append_seq   = seq + 1,
         status       = case when $6::text is null or command = 'cancel' and not inline then 'queued' else 'waiting' end,
         waiting_on   = case when command is distinct from 'cancel' then $6 when inline then 'caller' end,
         command      = nullif(command, 'cancel'),
         run_at       = coalesce(now() + make_interval(secs => $7::float8 / 1000), 'infinity'),
         queued_after = $8,
         retries      = retries + case when $8 = 'retry' then 1 else 0 end,
         leased_by    = null
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
select leased_by is null as parked
  from holdfast.runs
 where run     = $1
   and epoch   = $2
   and appends = $3`;

/** How a run is left whose lease is given back. */
export type Leaving =
  /** It waits: for something, and at the longest for so long. */
  | { readonly waitingOn: WaitingOn; readonly wakeInMs?: number | undefined }
  /** Its work failed, and is tried again after so long. */
  | { readonly failing: Failing }
  /** It waits for nothing: whoever gets it next goes on. */
  | { readonly waitingOn: null };

/** Gives the lease back. False: something was written meanwhile, or the run was taken; look at it again. */
export async function park(
  db: Queryable,
  { lease, number }: Pick<Append, "lease" | "number">,
  seen: number,
  leaving: Leaving,
): Promise<boolean> {
  const { note, waitingOn, wakeInMs, after } = departure(leaving);
  const { rows } = await db.query(PARK, [
    lease.run,
    lease.epoch,
    number,
    seen,
    rowOf(note).body,
    waitingOn,
    wakeInMs ?? null,
    after,
  ]);
  if (rows.length > 0) return true;
  const answered = await db.query<{ parked: boolean }>(PARKED, [lease.run, lease.epoch, number]);
  return answered.rows[0]?.parked ?? false; // the answer of an earlier try was lost
}

interface Departure {
  readonly note: Fact;
  readonly waitingOn: WaitingOn | null;
  readonly wakeInMs: number | undefined;
  /** What the next takeover comes after. */
  readonly after: After;
}

function departure(leaving: Leaving): Departure {
  if ("failing" in leaving) {
    const { failing } = leaving;
    return { note: failing, waitingOn: "timer", wakeInMs: failing.waitMs, after: "retry" };
  }
  if (leaving.waitingOn === null) {
    const note = { kind: "note", note: "released" } as const;
    return { note, waitingOn: null, wakeInMs: undefined, after: "handover" };
  }
  const { waitingOn, wakeInMs } = leaving;
  return { note: { kind: "note", note: "parked", waitingOn }, waitingOn, wakeInMs, after: "wait" };
}

const HEAD = /* sql */ `select epoch, status from holdfast.runs where run = $1`;

/** Why the head did not let a write beside the ledger in. Only the loser pays. */
export async function whyNotOwned(db: Queryable, { run, runId, epoch }: Lease): Promise<HoldfastError> {
  const { rows } = await db.query<{ epoch: number; status: RunStatus }>(HEAD, [run]);
  const [head] = rows;
  if (!head) return new HoldfastError("RUN_NOT_FOUND", { runId });
  if (head.epoch !== epoch) return new HoldfastError("FENCED", { runId, epoch, current: head.epoch });
  if (head.status === "cancelled") return new HoldfastError("CANCELLED", { runId, by: undefined });
  const why = ["running", "waiting", "queued"].includes(head.status)
    ? `it is in another database than run ${runId}: give both the same Holdfast`
    : `run ${runId} has ended; await what a run begins before its work returns`;
  return new HoldfastError("UNHELD_CALL", { name: "A write beside the ledger", why });
}

// Runs whose owner's time is over, or was seen gone and has not beaten since. $4: that run alone.
const SEEN = /* sql */ `
with gone as materialized (
  select w.worker
    from unnest($1::int[], $2::bigint[]) as seen (worker, beats)
    join holdfast.workers w using (worker, beats)
   where holdfast.lock_gone(w.worker, w.locked_in)
), seen as materialized (
  select r.run, r.epoch, coalesce(w.until, '-infinity') <= now() as over
    from holdfast.runs r
    left join holdfast.workers w on w.worker = r.leased_by
   where r.leased_by is not null
     and ($4::bigint is null or r.run = $4)
     and (coalesce(w.until, '-infinity') <= now() or r.leased_by in (select worker from gone))
   order by r.run
   limit $3
)`;

// Whoever notices that an owner is dead takes its runs from it. An inline run is marked, so that what it left open can be
// seen and settled: there is no handler that it could go to. A run of the fleet goes back to the queue, or is a dead letter
// where it has killed its workers so often that it would kill the next one too. The epoch goes up as at every takeover, and
// fences the owner should it live. Who was seen dead is held against the row once it is locked: it may have been taken by
// somebody alive in between, whom this statement's snapshot does not know.
const NOTICE = /* sql */ `${SEEN}, dead as (
  select r.run, r.inline, r.command, r.most_crashes,
         case when ${GOT_ON} then 1
              else r.crashes + 1 end as crashes
    from seen
    join holdfast.runs r using (run)
   where r.epoch  = seen.epoch
     and r.status = 'running'
     and (seen.over or exists (select from holdfast.workers w
                                where w.worker = r.leased_by and holdfast.lock_gone(w.worker, w.locked_in)))
   order by r.run
     for no key update of r skip locked
), fate as (
  select run, crashes,
         case when command = 'cancel'                       then 'cancelled'
              when inline                                   then 'waiting'
              when crashes >= most_crashes                  then 'dead'
              else                                               'queued' end as status
    from dead
), head as (
  update holdfast.runs r
     set status       = fate.status,
         waiting_on   = case when fate.status = 'waiting' then 'caller' end,
         run_at       = 'infinity',
         queued_after = 'handover',
         epoch        = r.epoch + 1,
         seq          = r.seq + case when fate.status in ('cancelled', 'dead') then 2 else 1 end,
         appends      = 0,
         append_seq   = r.seq + 1,
         leased_by    = null,
         finished_at  = case when fate.status in ('cancelled', 'dead') then now() end,
         crashes      = fate.crashes
    from fate
   where r.run = fate.run
  returning r.run, r.seq, r.epoch, r.status, r.crashes
), noted as (
  insert into holdfast.entries (run, seq, epoch, at, kind, step, body, value)
  select run, case when status in ('cancelled', 'dead') then seq - 1 else seq end, epoch, now(), 'takeover', null, $5, null
    from head
   union all
  select run, seq, epoch, now(), 'outcome', null,
         json_strip_nulls(json_build_object(
           'status', status,
           'kept',   false,
           'reason', case when status = 'dead' then
                       format('its workers died %s times in a row without a new observation', crashes) end))::text,
         null
    from head
   where status in ('cancelled', 'dead')
)
select run
  from head`;

const MOST_NOTICED = 100;

/** A worker whose session lock was seen gone for the whole of the grace, and its beats when that was first seen. */
export interface Gone {
  readonly worker: number;
  readonly beats: string;
}

/**
 * Takes runs from owners whose time to live is over, and from those that were seen gone and have not beaten since. Gives
 * back how many, at most 100. One that cannot be taken stops no other: where they cannot be taken together, each is by
 * itself, and what stopped the first is thrown at the end.
 */
export async function noticeDead(db: Queryable, worker: string, gone: readonly Gone[] = []): Promise<number> {
  const { body } = rowOf({ kind: "takeover", worker, after: "crash" });
  const seen = [gone.map(({ worker }) => worker), gone.map(({ beats }) => beats), MOST_NOTICED];
  const notice = async (run: string | null) => (await db.query(NOTICE, [...seen, run, body])).rows.length;
  try {
    return await notice(null);
  } catch {
    const { rows } = await db.query<{ run: string }>(`${SEEN}\nselect run from seen`, [...seen, null]);
    let [taken, failed]: [number, unknown] = [0, undefined];
    for (const { run } of rows) {
      try {
        taken += await notice(run);
      } catch (error) {
        failed ??= error;
      }
    }
    if (failed) throw failed;
    return taken;
  }
}

const GIVE_BACK = /* sql */ `
update holdfast.runs
   set status       = case when inline then 'waiting' else 'queued' end,
       waiting_on   = case when inline then 'caller' end,
       run_at       = 'infinity',
       queued_after = 'handover',
       command      = nullif(command, 'cancel'),
       leased_by    = null
 where leased_by = $1
   and run || '/' || epoch = any ($2)`;

/** Gives back leases (`run/epoch`) that this worker holds in the database but not in memory: a take whose answer was lost. */
export async function giveBack(db: Queryable, worker: number, leases: readonly string[]): Promise<void> {
  if (leases.length > 0) await db.query(GIVE_BACK, [worker, leases]);
}
