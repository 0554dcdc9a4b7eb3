import type { Fact } from "../ledger/entry.ts";
import type { Queryable } from "./database.ts";
import { rowOf } from "./ledger.ts";

// A fork is a start: it goes through the same limit of the queue, and if the run's agent is worked on by a fleet, any worker
// may pick it up. What is shared is copied, so that either run can be pruned without the other. The blobs that the first
// entries name go with them; `on conflict do nothing` leaves a run of the id alone.
const COPY = /* sql */ `
with source as (
  select r.*, (select e.epoch from holdfast.entries e where e.run = r.run and e.seq = $2) as last_epoch
    from holdfast.runs r
   where r.run = $1
     and r.pruned_at is null
     and case when r.inline or $11::boolean or $9::int is null then true else holdfast.queue_has_room($9) end
), head as (
  insert into holdfast.runs (run_id, agent, agent_version, pinned_to, inline, status, waiting_on, seq, epoch, append_seq,
                             input_digest, priority, tags, most_crashes, forked_from, fork_seq,
                             replay_of)
  select $3, agent, agent_version, pinned_to, inline or $11::boolean, case when inline or $11 then 'waiting' else 'queued' end,
         case when inline or $11 then 'caller' end, $2 + 1, last_epoch, $2 + 1, $4, priority, tags, most_crashes, run, $2,
         case when $11 then run end
    from source
   where last_epoch is not null
  on conflict do nothing
  returning run, seq, epoch
), copied as (
  insert into holdfast.entries (run, seq, epoch, at, kind, step, body, value)
  select head.run, e.seq, e.epoch, e.at, e.kind, e.step, coalesce(changed.body, e.body), coalesce(changed.value, e.value)
    from head
    join holdfast.entries e on e.run = $1 and e.seq <= $2
    left join unnest($6::int[], $7::text[], $8::text[]) as changed (seq, body, value) on changed.seq = e.seq
), noted as (
  insert into holdfast.entries (run, seq, epoch, at, kind, step, body, value)
  select run, seq, epoch, now(), 'note', null, $5, null
    from head
), kept as (
  insert into holdfast.blobs (run, hash, value)
  select head.run, b.hash, b.value
    from head
    join holdfast.blobs b on b.run = $1 and b.hash = any ($10::text[])
)
select (select count(*) from source) as found, (select count(*) from head) as made`;

export interface Copy {
  /** The number of the run that is copied, and the last entry of it that is. */
  readonly run: string;
  readonly at: number;
  /** The id of the new run. */
  readonly id: string;
  /** What follows the entries that are shared. */
  readonly note: Fact;
  /** Entries that say something else in the copy. */
  readonly changes: readonly { readonly seq: number; readonly fact: Fact }[];
  readonly blobs: readonly string[];
  readonly inputDigest: string | null;
  readonly queueLimit: number | undefined;
  /** The record of the one answers in the other. */
  readonly isReplay: boolean;
}

/** Copies the beginning of a run. `there`: there is a run of that id; `full`: the queue has no room, or the run is gone. */
export async function copyRun(db: Queryable, copy: Copy): Promise<"copied" | "there" | "full"> {
  const rows = copy.changes.map(({ fact }) => rowOf(fact));
  const { rows: counts } = await db.query<{ found: string; made: string }>(COPY, [
    copy.run,
    copy.at,
    copy.id,
    copy.inputDigest,
    rowOf(copy.note).body,
    copy.changes.map(({ seq }) => seq),
    rows.map(({ body }) => body),
    rows.map(({ value }) => value),
    copy.queueLimit ?? null,
    copy.blobs,
    copy.isReplay,
  ]);
  if (counts[0]?.made === "1") return "copied";
  return counts[0]?.found === "1" ? "there" : "full";
}
