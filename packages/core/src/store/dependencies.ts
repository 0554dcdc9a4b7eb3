import type { Encoded } from "../codec.ts";
import type { Ended, Outcome } from "../ledger/entry.ts";
import type { RunStatus, WaitingOn } from "../run/status.ts";
import type { Queryable } from "./database.ts";
import { rowOf } from "./ledger.ts";

/** What becomes of the run that waits when the other does not succeed. `tell`: it is told, and decides itself. */
export type OnFailure = "skip" | "fail" | "tell";

// `for share` waits for an end that is just being written, and makes the next one wait for this: either it is seen here, or
// whoever ends the run sees this row (see holdfast.run_ended).
const DEPEND = /* sql */ `
with needed as (
  select run, finished_at
    from holdfast.runs
   where run_id = $2
     for share
), made as (
  insert into holdfast.dependencies (run, on_run, name, on_failure, ended)
  select (select run from holdfast.runs where run_id = $1), run, $3, $4, finished_at is not null
    from needed
      on conflict do nothing
)
select run
  from needed`;

/** A run needs the end of another. Said twice, it is said once. False: there is no such run. */
export async function dependOn(
  db: Queryable,
  runId: string,
  needs: { readonly runId: string; readonly name: string; readonly onFailure: OnFailure },
): Promise<boolean> {
  const { rows } = await db.query(DEPEND, [runId, needs.runId, needs.name, needs.onFailure]);
  return rows.length > 0;
}

const UNTOLD = /* sql */ `
select d.run, d.on_run as "onRun", d.name, d.on_failure as "onFailure",
       r.run_id as "runId", r.seq, r.status, r.waiting_on as "waitingOn",
       u.run_id as "endedId", u.status as "endedStatus", e.body, e.value,
       (select count(*) from holdfast.dependencies o
         where o.run = d.run and o.on_run <> d.on_run and o.on_failure <> 'tell' and not o.told)::int as "left"
  from holdfast.dependencies d
  join holdfast.runs r on r.run = d.run
  join holdfast.runs u on u.run = d.on_run
  left join lateral (select body, value
                       from holdfast.entries
                      where run = d.on_run
                        and kind = 'outcome'
                      order by seq desc
                      limit 1) e on true
 where d.ended
   and not d.told
 order by d.run, d.on_run
 limit $1`;

/** An end that a run waits for and has not been told. */
export interface Untold {
  readonly run: string;
  readonly onRun: string;
  readonly name: string;
  readonly onFailure: OnFailure;
  readonly runId: string;
  readonly seq: number;
  readonly status: RunStatus;
  readonly waitingOn: WaitingOn | null;
  readonly endedId: string;
  readonly endedStatus: Ended["status"];
  readonly reason: string | undefined;
  readonly value: Encoded | undefined;
  /** How many others it still waits for before it can begin. */
  readonly left: number;
}

export async function untoldEnds(db: Queryable, most: number): Promise<Untold[]> {
  const { rows } = await db.query<Untold & { body: string | null; value: Encoded | null }>(UNTOLD, [most]);
  return rows.map(({ body, value, ...untold }) => ({
    ...untold,
    value: value ?? undefined,
    reason: body === null ? undefined : (JSON.parse(body) as Outcome).reason,
  }));
}

// The one that waits is told in its ledger, in the statement that notes that it was. It goes in only if the run stands where
// it was seen: the owner of a run that is about to park finds it there, and does not park. A run that has not begun has no
// owner of an earlier epoch to fence.
const TELL = /* sql */ `
with head as (
  update holdfast.runs
     set seq         = seq + case when $7::text is null then 1 else 2 end,
         epoch       = case when status = 'running' or epoch = 0 then epoch else epoch + 1 end,
         appends     = case when status = 'running' then appends else 0 end,
         status      = case when $7::text is not null then 'failed'
                            when not $8::boolean then status
                            when inline then 'waiting'
                            else 'queued' end,
         waiting_on  = case when $7::text is not null then null
                            when not $8::boolean then waiting_on
                            when inline then 'caller' end,
         finished_at = case when $7::text is not null then now() end
   where run    = $1
     and seq    = $3
     and status = $4
     and exists (select from holdfast.dependencies where run = $1 and on_run = $2 and not told)
  returning run, case when $7::text is null then seq else seq - 1 end as seq, epoch
), told as (
  update holdfast.dependencies
     set told = true
   where run    = $1
     and on_run = $2
     and exists (select from head)
), noted as (
  insert into holdfast.entries (run, seq, epoch, at, kind, step, body, value)
  select run, seq, epoch, now(), 'note', null, $5, $6
    from head
   union all
  select run, seq + 1, epoch, now(), 'outcome', null, '{"status":"failed","kept":true}', $7
    from head
   where $7::text is not null
)
select seq
  from head`;

/** Tells a run the end of another. `fails`: the error that it ends with itself. False: it has moved on; look again. */
export async function tellEnd(
  db: Queryable,
  untold: Untold,
  { wakes, fails }: { readonly wakes: boolean; readonly fails: Encoded | undefined },
): Promise<boolean> {
  const { run, onRun, seq, status, endedId, endedStatus, name, value } = untold;
  const fact: Ended = { kind: "note", note: "ended", run: endedId, name, status: endedStatus, value };
  const { body } = rowOf(fact);
  const { rows } = await db.query(TELL, [run, onRun, seq, status, body, value ?? null, fails ?? null, wakes]);
  return rows.length > 0;
}

const SKIP = /* sql */ `
update holdfast.dependencies
   set told = true
 where run    = $1
   and on_run = $2`;

/** The run that waited has ended itself: nobody needs to be told any more. */
export async function forgetEnd(db: Queryable, { run, onRun }: Pick<Untold, "run" | "onRun">): Promise<void> {
  await db.query(SKIP, [run, onRun]);
}
