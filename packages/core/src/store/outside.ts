import type { Fact } from "../ledger/entry.ts";
import type { Queryable } from "./database.ts";
import { type Lease, rowOf } from "./ledger.ts";

// Somebody who holds no lease writes: a person's resolution. It goes in only if the head stands where its writer saw it
// (`seq = $2`): whatever the writer decided by is then still so. It does not touch the owner's count of appends. A run
// that is parked is woken in the same stroke, and its epoch goes up: a call that the last owner left behind can no more
// say what came of it once somebody else has.
const WRITE = /* sql */ `
with head as (
  update holdfast.runs
     set seq        = seq + 1,
         epoch      = case when status = 'running' then epoch else epoch + 1 end,
         appends    = case when status = 'running' then appends else 0 end,
         status     = case when status = 'waiting' and not inline then 'queued' else status end,
         waiting_on = case when status = 'waiting' and inline then 'caller' end
   where run = $1
     and seq = $2
     and status in ('queued', 'running', 'waiting', 'failed')
  returning run, seq, epoch
)
insert into holdfast.entries (run, seq, epoch, at, kind, step, body, value)
select run, seq, epoch, now(), $3, $4, $5, $6
  from head
returning seq, epoch, at`;

/** Appends a fact from outside after entry `seen`, the last one its writer knows. False: the ledger has moved on. */
export async function writeOutside(
  db: Queryable,
  { run }: Pick<Lease, "run">,
  seen: number,
  fact: Fact,
): Promise<boolean> {
  const { kind, step, body, value } = rowOf(fact);
  const { rows } = await db.query(WRITE, [run, seen, kind, step, body, value]);
  return rows.length > 0;
}
