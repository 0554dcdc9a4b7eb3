import type { Amount, Limits } from "../budget/amount.ts";
import type { Change } from "../budget/tally.ts";
import type { Queryable } from "./database.ts";

/** How long a window is. By the database's clock, in UTC. */
export type Per = "hour" | "day" | "month";

const OPEN = /* sql */ `
with w as (
  select $1::text as scope, $2::text as per, date_trunc($2, now() at time zone 'UTC') as starts
)
insert into holdfast.budgets (budget, scope, per, starts, until, cap_micros, cap_tokens, cap_calls)
select scope || '/' || per || '/' || to_char(starts, case per when 'hour' then 'YYYY-MM-DD"T"HH24'
                                                              when 'day'  then 'YYYY-MM-DD'
                                                              else             'YYYY-MM' end),
       scope, per, starts at time zone 'UTC', (starts + ('1 ' || per)::interval) at time zone 'UTC',
       $3::bigint, $4::bigint, $5::bigint
  from w
    on conflict (budget) do update
   set cap_micros = excluded.cap_micros, cap_tokens = excluded.cap_tokens, cap_calls = excluded.cap_calls
returning budget, extract(epoch from until - now())::float8 * 1000 as ms`;

/** Opens the window that the database's clock is in, with this cap, and says for how many milliseconds it is open. */
export async function openWindow(
  db: Queryable,
  scope: string,
  per: Per,
  { micros, tokens, calls }: Limits,
): Promise<{ budget: string; ms: number }> {
  const values = [scope, per, micros ?? null, tokens ?? null, calls ?? null];
  const { rows } = await db.query<{ budget: string; ms: number }>(OPEN, values);
  return rows[0] as { budget: string; ms: number };
}

const LOOK = /* sql */ `
select budget, cap_micros, cap_tokens, cap_calls, spent_micros, spent_tokens, spent_calls, held_micros, held_tokens, held_calls,
       extract(epoch from until - now())::float8 * 1000 as ms
  from holdfast.budgets
 where budget = any ($1::text[])`;

/** A shared budget in one window. */
export interface Standing {
  readonly budget: string;
  readonly cap: Limits;
  readonly spent: Amount;
  readonly held: Amount;
  /** How long its window is open yet, in milliseconds. */
  readonly ms: number;
}

export async function lookAtBudgets(db: Queryable, budgets: readonly string[]): Promise<Standing[]> {
  type Row = { budget: string; ms: number } & Record<string, string | null>;
  const { rows } = await db.query<Row>(LOOK, [budgets]);
  return rows.map((row) => {
    const amount = (of: string): Amount => ({
      micros: Number(row[`${of}_micros`]),
      tokens: Number(row[`${of}_tokens`]),
      calls: Number(row[`${of}_calls`]),
    });
    const limit = (unit: string) => {
      const cap = row[`cap_${unit}`];
      return cap === null || cap === undefined ? undefined : Number(cap);
    };
    const cap: Limits = { micros: limit("micros"), tokens: limit("tokens"), calls: limit("calls") };
    return { budget: row.budget, cap, spent: amount("spent"), held: amount("held"), ms: row.ms };
  });
}

const FORGET = /* sql */ `
delete from holdfast.budgets
 where until < now() - make_interval(secs => $1)
   and held_calls = 0`;

/** Deletes windows that ended so long ago, and that nothing is held in any more. */
export async function forgetWindows(db: Queryable, olderThanSeconds: number): Promise<void> {
  await db.query(FORGET, [olderThanSeconds]);
}

/** What appends change in shared budgets, as columns for `unnest`. */
export function changeColumns(changes: readonly (Change & { readonly run: string })[]): unknown[] {
  return [
    changes.map(({ run }) => run),
    changes.map(({ budget }) => budget),
    changes.map(({ held }) => held.micros),
    changes.map(({ held }) => held.tokens),
    changes.map(({ held }) => held.calls),
    changes.map(({ spent }) => spent.micros),
    changes.map(({ spent }) => spent.tokens),
    changes.map(({ spent }) => spent.calls),
    changes.map(({ takes }) => takes),
    changes.map(({ opened }) => opened),
  ];
}

const CHANGE =
  "run, budget, held_micros, held_tokens, held_calls, spent_micros, spent_tokens, spent_calls, takes, opened";

/** The CTE `change`: its columns are parameters from `first` on. */
export const changeOf = (first: number): string => {
  const casts = ["bigint", "text", ...Array(6).fill("bigint"), "boolean", "int"];
  return /* sql */ `change (${CHANGE}) as (
  select * from unnest(${casts.map((cast, i) => `$${first + i}::${cast}[]`).join(", ")})`;
};

/*
 * Which of the runs in `free` hold more than there is. Their budgets are locked first, in one order, and read as they are
 * once locked. Runs that take are tried in order, each after what those before it would take: one that is refused because
 * of them is tried again by itself. A budget is not taken from after its window.
 */
export const SHORT = /* sql */ `mine as (
  select change.* from change join free using (run)
), locked as (
  select b.*, now() < b.until as is_open
    from holdfast.budgets b
   where b.budget in (select budget from mine)
   order by b.budget
     for no key update
), tried as (
  select m.run, m.budget, m.takes,
         l.budget is null or not l.is_open
         or l.spent_micros + l.held_micros + sum(m.held_micros + m.spent_micros) over w > l.cap_micros
         or l.spent_tokens + l.held_tokens + sum(m.held_tokens + m.spent_tokens) over w > l.cap_tokens
         or l.spent_calls  + l.held_calls  + sum(m.held_calls  + m.spent_calls)  over w > l.cap_calls as is_over
    from mine m
    left join locked l using (budget)
  window w as (partition by m.budget order by m.takes, m.run)
), short as (
  select distinct on (run) run, budget
    from tried
   where takes and is_over
   order by run, budget`;

/** The rows that are moved, of runs whose heads were: `locked` are their budgets, in one order. */
export const MOVED = /* sql */ `moved as (
  update holdfast.budgets b
     set held_micros  = b.held_micros  + m.held_micros,
         held_tokens  = b.held_tokens  + m.held_tokens,
         held_calls   = b.held_calls   + m.held_calls,
         spent_micros = b.spent_micros + m.spent_micros,
         spent_tokens = b.spent_tokens + m.spent_tokens,
         spent_calls  = b.spent_calls  + m.spent_calls
    from (select budget,
                 sum(held_micros)::bigint  as held_micros,  sum(held_tokens)::bigint  as held_tokens,
                 sum(held_calls)::bigint   as held_calls,   sum(spent_micros)::bigint as spent_micros,
                 sum(spent_tokens)::bigint as spent_tokens, sum(spent_calls)::bigint  as spent_calls
            from change
            join head using (run)
           group by budget) m
   where b.budget = m.budget
     and b.budget in (select budget from locked)`;
