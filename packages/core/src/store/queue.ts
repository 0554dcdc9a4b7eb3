import type { Start } from "../ledger/entry.ts";
import type { Queryable } from "./database.ts";
import { type Lease, rowOf } from "./ledger.ts";

/** A run that is to be queued, as the head keeps it. */
export interface Queued {
  readonly runId: string;
  readonly start: Start & { readonly agent: string };
  readonly inputDigest: string;
  /** The version that alone may work on it; '' is the newest there is. */
  readonly pinnedTo: string;
  readonly priority: number;
  /** Not before this; undefined: now. */
  readonly runAt: Date | undefined;
  /** It waits for other runs to end first. */
  readonly waits: boolean;
  /** Crashes in a row without an observation, after which it is dead. */
  readonly mostCrashes: number;
  /** So many runs may be queued; undefined: any number. */
  readonly queueLimit: number | undefined;
}

// `on conflict do nothing` makes it one run a key, however many start it at once. Who comes second finds it.
const QUEUE = /* sql */ `
with asked as (
  select case when $14::boolean then 'dependency' when $8::timestamptz > now() then 'timer' end as waiting_on
), created as (
  insert into holdfast.runs (run_id, agent, agent_version, pinned_to, key, input_digest, priority, run_at, parent, tags,
                             most_crashes, inline, status, waiting_on, seq, append_seq)
  select $1, $2, $3, $4, $5, $6, $7, case when waiting_on = 'timer' then $8::timestamptz else 'infinity' end,
         (select run from holdfast.runs where run_id = $9), $10::text[],
         $11, false, case when waiting_on is null then 'queued' else 'waiting' end, waiting_on, 1, 1
    from asked
   where case when $15::int is null then true else holdfast.queue_has_room($15) end
  on conflict do nothing
  returning run
), noted as (
  insert into holdfast.entries (run, seq, epoch, at, kind, step, body, value)
  select run, 1, 0, now(), 'start', null, $12, $13
    from created
)
select run
  from created`;

/** Queues a run. Gives back its number; undefined: there is one of its id or its key, or the queue is full. */
export async function queue(db: Queryable, queued: Queued): Promise<string | undefined> {
  const { start } = queued;
  const { body, value } = rowOf(start);
  const { rows } = await db.query<{ run: string }>(QUEUE, [
    queued.runId,
    start.agent,
    start.version ?? null,
    queued.pinnedTo,
    start.key ?? null,
    queued.inputDigest,
    queued.priority,
    queued.runAt ?? null,
    start.parent ?? null,
    start.tags ?? [],
    queued.mostCrashes,
    body,
    value,
    queued.waits,
    queued.queueLimit ?? null,
  ]);
  return rows[0]?.run;
}

const BY_KEY = /* sql */ `
select run, run_id as "runId", input_digest as "inputDigest", agent
  from holdfast.runs
 where agent = $1
   and key   = $2`;

/** The run of an agent that was started with this key. */
export async function findByKey(
  db: Queryable,
  agent: string,
  key: string,
): Promise<{ run: string; runId: string; inputDigest: string | null; agent: string } | undefined> {
  const { rows } = await db.query<{ run: string; runId: string; inputDigest: string | null; agent: string }>(
    BY_KEY,
    [agent, key],
  );
  return rows[0];
}

/** What a worker claims for: an agent that it has, in the order in which it is their turn. */
export interface Line {
  readonly agent: string;
  readonly version: string | undefined;
  /** No living worker has a newer version: runs that are pinned to none are this worker's too. */
  readonly isNewest: boolean;
  /** How many runs of the agent may be under way in the whole fleet. */
  readonly cap: number | undefined;
}

export interface Claimed {
  readonly lease: Lease;
  readonly seq: number;
  readonly agent: string;
  /** How often its work has failed. */
  readonly retries: number;
  /** Another run waits for its end, or may yet ask for it. */
  readonly isAwaited: boolean;
}

/*
 * Claims in one statement: picks, locks, raises the epoch, writes the takeovers.
 *
 * `best` says, by this statement's snapshot, which agents the next runs are of: the most urgent first, then each agent in
 * its turn, so that a flood of one does not starve another. `locked` takes so many of each, passing over those that
 * somebody else is claiming: two workers that claim at once get different runs, and no worker locks more than it takes.
 *
 * Both read only runs that are queued, from an index that has no others: a claim costs the same whatever has finished.
 */
const CLAIM = /* sql */ `
with fleet as materialized (
  select case when $7::int is null then $6 else least($6, holdfast.room(null, $7)) end as n
   where exists (select from holdfast.workers w where w.worker = $1 and w.until > now())
), mine as materialized (
  select agent, turn, case when cap is null then n else least(n, holdfast.room(agent, cap)) end as room
    from (select agent, cap, min(turn) as turn, n
            from fleet, unnest($3::text[], $5::int[]) with ordinality as mine (agent, cap, turn)
           where n > 0
           group by agent, cap, n
           order by agent) mine
), line as (
  select mine.agent, pin, turn, room
    from mine
    join unnest($3::text[], $4::text[]) as pins (agent, pin) using (agent)
), best as (
  select agent, pin
    from (select line.agent, line.pin, turn, room, priority,
                 row_number() over (partition by line.agent order by priority desc, run) as place
            from line
           cross join lateral (select r.run, r.priority
                                 from holdfast.runs r
                                where r.status = 'queued' and r.command is null
                                  and r.agent = line.agent and r.pinned_to = line.pin
                                order by r.priority desc, r.run
                                limit line.room) next) ranked
   where place <= room
   order by priority desc, place, turn
   limit (select n from fleet)
), locked as (
  select r.run, r.due_at, share.pin
    from (select agent, pin, count(*) as n from best group by agent, pin) share
   cross join lateral (select r.run, r.due_at
                         from holdfast.runs r
                        where r.status = 'queued' and r.command is null
                          and r.agent = share.agent and r.pinned_to = share.pin
                        order by r.priority desc, r.run
                        limit share.n
                          for no key update skip locked) r
), claimed as (
  update holdfast.runs r
     set status        = 'running',
         epoch         = r.epoch + 1,
         seq           = r.seq + 1,
         appends       = 0,
         append_seq    = r.seq + 1,
         leased_by     = $1,
         due_at        = null,
         agent_version = versions.version
    from locked
    join unnest($3::text[], $4::text[], $8::text[]) as versions (agent, pin, version) using (pin)
   where r.run   = locked.run
     and r.agent = versions.agent
  returning r.run, r.run_id, r.seq, r.epoch, r.agent, r.agent_version, r.retries, r.queued_after, r.parent, locked.due_at
), noted as (
  insert into holdfast.entries (run, seq, epoch, at, kind, step, body, value)
  select run, seq, epoch, now(), 'takeover', null,
         json_strip_nulls(json_build_object('worker', $2::text, 'number', $1, 'after', queued_after,
                                            'version', agent_version, 'due', due_at))::text, null
    from claimed
)
select run, run_id as "runId", seq, epoch, agent, retries,
       parent is not null
         or exists (select from holdfast.dependencies d where d.on_run = claimed.run and not d.ended) as "isAwaited"
  from claimed`;

/** The most runs that are claimed in one statement. */
export const MOST_CLAIMED = 200;

/** Claims up to `most` runs for a worker that is alive. `fleetCap`: how many may be under way in the whole fleet. */
export async function claim(
  db: Queryable,
  { number, name }: { readonly number: number; readonly name: string },
  lines: readonly Line[],
  most: number,
  fleetCap?: number,
): Promise<Claimed[]> {
  // A line for the runs that are pinned to the version, and one for those that are pinned to none.
  const pins = lines.flatMap((line) => {
    const both = new Set(["", line.version ?? ""]);
    return [...both].filter((pin) => pin !== "" || line.isNewest).map((pin) => ({ ...line, pin }));
  });
  if (pins.length === 0) return [];
  const { rows } = await db.query<Omit<Lease, never> & Omit<Claimed, "lease">>(CLAIM, [
    number,
    name,
    pins.map(({ agent }) => agent),
    pins.map(({ pin }) => pin),
    pins.map(({ cap }) => cap ?? null),
    Math.min(most, MOST_CLAIMED),
    fleetCap ?? null,
    pins.map(({ version }) => version ?? null),
  ]);
  return rows.map(({ run, runId, epoch, ...claimed }) => ({ lease: { run, runId, epoch }, ...claimed }));
}

// Whatever a run waits for, its time has come. An inline run has nobody who would pick it up.
const WAKE = /* sql */ `
with due as (
  select run
    from holdfast.runs
   where status = 'waiting'
     and run_at <= now()
   order by run_at
   limit $1
     for no key update skip locked
)
update holdfast.runs r
   set status     = case when inline then 'waiting' else 'queued' end,
       waiting_on = case when inline then 'caller' end,
       run_at     = 'infinity',
       due_at     = case when not inline then r.run_at end
  from due
 where r.run = due.run
returning r.run`;

const MOST_WOKEN = 500;

/** Wakes runs whose time has come, at most 500. Gives back how many. */
export async function wakeDue(db: Queryable): Promise<number> {
  const { rows } = await db.query(WAKE, [MOST_WOKEN]);
  return rows.length;
}
