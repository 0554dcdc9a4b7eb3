import type { Queryable } from "@holdfast/core";

const LIST = /* sql */ `
select scope, per, starts, until, until > now() as open,
       json_build_object('cap', cap_micros, 'spent', spent_micros, 'held', held_micros) as micros,
       json_build_object('cap', cap_tokens, 'spent', spent_tokens, 'held', held_tokens) as tokens,
       json_build_object('cap', cap_calls,  'spent', spent_calls,  'held', held_calls)  as calls
  from holdfast.budgets
 where ($1::text is null or scope = $1)
 order by starts desc, budget
 limit $2`;

interface Counted {
  /** Null: not limited. */
  readonly cap: number | null;
  readonly spent: number;
  readonly held: number;
}

/** A window of a budget that runs share. */
export interface BudgetWindow {
  readonly scope: string;
  readonly per: string;
  readonly starts: Date;
  readonly until: Date;
  readonly open: boolean;
  readonly micros: Counted;
  readonly tokens: Counted;
  readonly calls: Counted;
}

/** Windows of shared budgets, the newest first: those of one scope (`tag:tenant:acme`), or of all. */
export async function listBudgets(
  db: Queryable,
  { scope, limit = 100 }: { scope?: string | undefined; limit?: number | undefined } = {},
): Promise<BudgetWindow[]> {
  return (await db.query<BudgetWindow>(LIST, [scope ?? null, limit])).rows;
}
