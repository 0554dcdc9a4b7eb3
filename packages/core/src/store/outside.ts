import type { Change } from "../budget/tally.ts";
import type { Fact } from "../ledger/entry.ts";
import { changeColumns, changeOf, MOVED } from "./budgets.ts";
import type { Queryable } from "./database.ts";
import { type Lease, rowOf } from "./ledger.ts";

// Somebody who holds no lease writes: a person's resolution. It goes in only if the head stands where its writer saw it
// (`seq = $2`): whatever the writer decided by is then still so. It does not touch the owner's count of appends. A run
// that is parked is woken in the same stroke, and its epoch goes up: a call that the last owner left behind can no more
// say what came of it once somebody else has. A run that has not begun (epoch 0) waits for its time, or for other runs to
// end: it has no call that could be spoken for, and is not woken. What became of an effect is also said of a run that was
// cancelled or is dead.
const WRITE = /* sql */ `
with head as (
  update holdfast.runs
     set seq        = seq + 1,
         epoch      = case when status = 'running' or epoch = 0 then epoch else epoch + 1 end,
         appends    = case when status = 'running' then appends else 0 end,
         status     = case when status = 'waiting' and not inline and epoch > 0 then 'queued' else status end,
         waiting_on = case when epoch = 0 then waiting_on when status = 'waiting' and inline then 'caller' end
   where run = $1
     and seq = $2
     and (status in ('queued', 'running', 'waiting', 'failed') or status in ('cancelled', 'dead') and $3 = 'resolution')
  returning run, seq, epoch
)
insert into holdfast.entries (run, seq, epoch, at, kind, step, body, value)
select run, seq, epoch, now(), $3, $4, $5, $6
  from head
returning seq, epoch, at`;

// The same, with what it changes in shared budgets.
const WRITE_COUNTED = /* sql */ `${WRITE.slice(0, WRITE.indexOf("insert into"))
  .replace(
    "seq        = seq + 1,",
    "seq        = seq + 1,\n         holds      = holds + coalesce((select sum(opened) from change), 0)::int,",
  )
  .replace("with head as", `with ${changeOf(7)}\n), head as`)
  .trimEnd()}, locked as (
  select budget
    from holdfast.budgets
   where budget in (select budget from change)
     and exists (select from head)
   order by budget
     for no key update
), ${MOVED}
)
${WRITE.slice(WRITE.indexOf("insert into"))}`;

/** Appends a fact from outside after entry `seen`, the last one its writer knows. False: the ledger has moved on. */
export async function writeOutside(
  db: Queryable,
  { run }: Pick<Lease, "run">,
  seen: number,
  fact: Fact,
  changes: readonly Change[] = [],
): Promise<boolean> {
  const { kind, step, body, value } = rowOf(fact);
  const values = [run, seen, kind, step, body, value];
  const counted = changeColumns(changes.map((change) => ({ run, ...change })));
  const { rows } =
    changes.length === 0
      ? await db.query(WRITE, values)
      : await db.query(WRITE_COUNTED, [...values, ...counted]);
  return rows.length > 0;
}
