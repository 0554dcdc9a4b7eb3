import type { Fact } from "../ledger/entry.ts";
import type { Queryable } from "./database.ts";
import { type Append, rowOf } from "./ledger.ts";

/** A count of calls, of all runs that are counted together, in the window that ends now by the database's clock. */
export interface Window {
  readonly rule: string;
  /** The tag; empty: none. */
  readonly under: string;
  readonly per: string;
  readonly atMost: number;
}

const USED = /* sql */ `
select holdfast.counted(used, holdfast.slot(per, now()) - slot)::int as used,
       coalesce(holdfast.slot(per, $4) > holdfast.slot(per, now()) - cardinality(used), false) as has
  from holdfast.counts
 where rule  = $1
   and under = $2
   and per   = $3`;

/** How many calls were counted in this window, and whether one that was counted at that time is among them. */
export async function usedByAll(
  db: Queryable,
  { rule, under, per }: Window,
  at?: Date,
): Promise<{ used: number; has: boolean }> {
  const { rows } = await db.query<{ used: number; has: boolean }>(USED, [rule, under, per, at ?? null]);
  return rows[0] ?? { used: 0, has: false };
}

// The rows that the next statement locks: what nobody has counted yet has none. Old ones go.
const OPEN = /* sql */ `
with old as (
  delete from holdfast.counts
   where (rule, under, per) in (select rule, under, per
                                  from holdfast.counts
                                 where at < now() - interval '2 days'
                                 limit 100
                                   for update skip locked)
)
insert into holdfast.counts (rule, under, per, slot)
select rule, under, per, holdfast.slot(per, now())
  from unnest($1::text[], $2::text[], $3::text[]) as want (rule, under, per)
 order by rule, under, per
    on conflict do nothing`;

// One fact of the owner's, and the counts that it adds to: all of them have room, or nothing is written. The head is locked
// first, as everywhere, and the counts in one order. Of workers that race for the last place the second waits for the
// first, and then reads what it has left. All of a window is in one row: a lock on one of several would not keep the sum.
const COUNT = /* sql */ `
with head as materialized (
  select run
    from holdfast.runs
   where run     = $1
     and epoch   = $2
     and appends = $3 - 1
     and status  = 'running'
     for no key update
), want as (
  select rule, under, per, at_most
    from unnest($8::text[], $9::text[], $10::text[], $11::int[]) as want (rule, under, per, at_most)
), room as materialized (
  select c.rule, c.under, c.per,
         greatest(c.slot, holdfast.slot(c.per, now())) as slot,
         holdfast.slid(c.used, holdfast.slot(c.per, now()) - c.slot) as used,
         holdfast.counted(c.used, holdfast.slot(c.per, now()) - c.slot) < want.at_most as fits
    from head, want
    join holdfast.counts c using (rule, under, per)
   order by c.rule, c.under, c.per
     for update of c
), counted as (
  update holdfast.counts c
     set slot = room.slot,
         used = room.used[:60] || room.used[61] + 1,
         at   = now()
    from room
   where c.rule  = room.rule
     and c.under = room.under
     and c.per   = room.per
     and (select count(*) from room where fits) = cardinality($8)
  returning c.rule
), moved as (
  update holdfast.runs r
     set seq        = r.seq + 1,
         appends    = $3,
         append_seq = r.seq + 1
    from head
   where r.run = head.run
     and (select count(*) from counted) = cardinality($8)
  returning r.run, r.seq, r.epoch
), written as (
  insert into holdfast.entries (run, seq, epoch, at, kind, step, body, value)
  select run, seq, epoch, now(), $4, $5, $6, $7
    from moved
)
select exists (select from head) as owned,
       exists (select from room where not fits) as full,
       (select seq - 1 from moved) as after,
       now() as at`;

/** What became of a fact that adds to counts: `refused` by the head, where `whyRefused` tells why. */
export type Counted =
  | { readonly as: "written"; readonly after: number; readonly at: Date }
  | { readonly as: "full" | "refused" };

/** Appends a fact of the owner's, if all the counts that it adds to have room. */
export async function appendWithin(
  db: Queryable,
  { lease, number }: Pick<Append, "lease" | "number">,
  fact: Fact,
  windows: readonly Window[],
): Promise<Counted> {
  const { kind, step, body, value } = rowOf(fact);
  const [rules, under, per] = (["rule", "under", "per"] as const).map((field) =>
    windows.map((window) => window[field]),
  );
  const atMost = windows.map((window) => window.atMost);
  for (;;) {
    await db.query(OPEN, [rules, under, per]);
    const { rows } = await db.query<{ owned: boolean; full: boolean; after: number | null; at: Date }>(
      COUNT,
      [lease.run, lease.epoch, number, kind, step, body, value, rules, under, per, atMost],
    );
    const [said] = rows;
    if (said?.after != null) return { as: "written", after: said.after, at: said.at };
    if (!said?.owned) return { as: "refused" };
    if (said.full) return { as: "full" };
    // Between the two statements a count was deleted as an old one.
  }
}
