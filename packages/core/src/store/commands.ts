import type { Command } from "../ledger/entry.ts";
import type { RunStatus } from "../run/status.ts";
import type { Queryable } from "./database.ts";
import { type Lease, rowOf } from "./ledger.ts";

const COMMANDED = /* sql */ `
select run, command
  from holdfast.runs
 where leased_by = $1
   and command is not null`;

/** The runs of a worker that were told to do something. */
export async function commandedRuns(
  db: Queryable,
  worker: number,
): Promise<{ run: string; command: "pause" | "cancel" }[]> {
  return (await db.query<{ run: string; command: "pause" | "cancel" }>(COMMANDED, [worker])).rows;
}

/** What a command makes of a run's head. */
export interface Commanded {
  readonly fact: Command;
  /** It ends here and now, as nobody works on it. */
  readonly ends?: "cancelled" | undefined;
  /** What its owner is to do from now on; null: nothing more. */
  readonly command: "pause" | "cancel" | null;
  /** It goes back to the queue, unless it is inline: then it waits for its caller. */
  readonly wakes: boolean;
}

// Goes in only if the head stands where the writer saw it (`seq = $2`): what the command means for it is then still so.
// Where nobody works on the run the epoch goes up: a call that its last owner left behind has nothing more to say.
const COMMAND = /* sql */ `
with head as (
  update holdfast.runs
     set seq          = seq + case when $6::text is null then 1 else 2 end,
         epoch        = case when status = 'running' or epoch = 0 then epoch else epoch + 1 end,
         appends      = case when status = 'running' then appends else 0 end,
         command      = $7,
         status       = case when $6::text is not null then $6::text
                             when $8::boolean and not inline then 'queued'
                             when $8::boolean then 'waiting'
                             else status end,
         waiting_on   = case when $6::text is not null then null
                             when $8::boolean and not inline then null
                             when $8::boolean then 'caller'
                             else waiting_on end,
         finished_at  = case when $6::text is null then finished_at else now() end
   where run    = $1
     and seq    = $2
     and status = $9
  returning run, case when $6::text is null then seq else seq - 1 end as seq, epoch
), told as (
  insert into holdfast.entries (run, seq, epoch, at, kind, step, body, value)
  select run, seq, epoch, now(), $3, null, $4, $5
    from head
), ended as (
  insert into holdfast.entries (run, seq, epoch, at, kind, step, body, value)
  select run, seq + 1, epoch, now(), 'outcome', null, json_build_object('status', $6::text, 'kept', false)::text, null
    from head
   where $6::text is not null
)
select seq
  from head`;

/** Writes a command to a run that stands where it was seen. False: it has moved on. */
export async function writeCommand(
  db: Queryable,
  { run }: Pick<Lease, "run">,
  seen: { readonly seq: number; readonly status: RunStatus },
  { fact, ends, command, wakes }: Commanded,
): Promise<boolean> {
  const { kind, body, value } = rowOf(fact);
  const { rows } = await db.query(COMMAND, [
    run,
    seen.seq,
    kind,
    body,
    value,
    ends ?? null,
    command,
    wakes,
    seen.status,
  ]);
  return rows.length > 0;
}
