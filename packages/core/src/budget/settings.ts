import { HoldfastError } from "../errors.ts";
import type { Limits } from "./amount.ts";
import { type Cap, limitsOf, type OnLow } from "./cap.ts";
import { checkPrices, type Prices } from "./price.ts";
import { checkShared, type SharedBudget } from "./shared.ts";

/** What one run may spend, and what becomes of a call that does not fit. */
export interface RunBudget {
  /** The cap of every run that is started without one of its own. It is recorded with the run. */
  readonly perRun?: Cap;
  /** Default `clamp`: a model's answer is shortened to what is left; once nothing fits, the run fails. */
  readonly onLow?: OnLow;
}

/** What may be declared of budgets. */
export interface Budgeting {
  /** What every run may spend, unless it is started with a budget of its own. */
  readonly budget?: RunBudget | undefined;
  /** What runs of one agent, or with one tag, may spend together in an hour, a day or a month. */
  readonly budgets?: readonly SharedBudget[] | undefined;
  /** What models cost, by name or glob: over the built-in table. `*` is for models that it does not know. */
  readonly prices?: Prices | undefined;
}

/** What is declared of budgets, checked. */
export interface BudgetSettings {
  readonly perRun: Limits | undefined;
  readonly onLow: OnLow;
  readonly shared: readonly SharedBudget[];
  readonly prices: Prices;
  /** Costs are reckoned even where nothing is capped. */
  readonly isMetered: boolean;
}

const ON_LOW: readonly OnLow[] = ["clamp", "park", "fail"];

/** Throws INVALID_ARGUMENT: a budget that is not understood would be none. */
export function budgetSettings({ budget, budgets = [], prices }: Budgeting): BudgetSettings {
  const refuse = (argument: string, why: string) => new HoldfastError("INVALID_ARGUMENT", { argument, why });
  if (budget !== undefined && (typeof budget !== "object" || budget === null)) {
    throw refuse("budget", "must be { perRun: usd(2), onLow }");
  }
  const { perRun, onLow = "clamp", ...rest } = budget ?? {};
  const [unknown] = Object.keys(rest);
  if (unknown) throw refuse("budget", `has no field ${unknown}; it may have perRun, onLow`);
  if (!ON_LOW.includes(onLow)) throw refuse("budget.onLow", `must be one of ${ON_LOW.join(", ")}`);
  if (prices) checkPrices(prices);
  if (!Array.isArray(budgets)) throw refuse("budgets", "must be a list of { scope, per, cap }");
  checkShared(budgets);
  return {
    perRun: perRun === undefined ? undefined : limitsOf("budget.perRun", perRun),
    onLow,
    shared: budgets,
    prices: prices ?? {},
    isMetered: prices !== undefined,
  };
}
