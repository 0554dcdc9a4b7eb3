import { HoldfastError } from "../errors.ts";
import type { Limits } from "./amount.ts";
import { type Cap, limitsOf, type OnLow } from "./cap.ts";
import { checkPrices, type Prices } from "./price.ts";

/** What one run may spend, and what becomes of a call that does not fit. */
export interface RunBudget {
  /** The cap of every run that is started without one of its own. It is recorded with the run. */
  readonly perRun?: Cap;
  /** Default `clamp`: a model's answer is shortened to what is left; once nothing fits, the run fails. */
  readonly onLow?: OnLow;
}

/** What is declared of budgets, checked. */
export interface BudgetSettings {
  readonly perRun: Limits | undefined;
  readonly onLow: OnLow;
  readonly prices: Prices;
  /** Costs are reckoned even where nothing is capped. */
  readonly isMetered: boolean;
}

const ON_LOW: readonly OnLow[] = ["clamp", "park", "fail"];

/** Throws INVALID_ARGUMENT: a budget that is not understood would be none. */
export function budgetSettings(budget: RunBudget | undefined, prices: Prices | undefined): BudgetSettings {
  const refuse = (argument: string, why: string) => new HoldfastError("INVALID_ARGUMENT", { argument, why });
  if (budget !== undefined && (typeof budget !== "object" || budget === null)) {
    throw refuse("budget", "must be { perRun: usd(2), onLow }");
  }
  const { perRun, onLow = "clamp", ...rest } = budget ?? {};
  const [unknown] = Object.keys(rest);
  if (unknown) throw refuse("budget", `has no field ${unknown}; it may have perRun, onLow`);
  if (!ON_LOW.includes(onLow)) throw refuse("budget.onLow", `must be one of ${ON_LOW.join(", ")}`);
  if (prices) checkPrices(prices);
  return {
    perRun: perRun === undefined ? undefined : limitsOf("budget.perRun", perRun),
    onLow,
    prices: prices ?? {},
    isMetered: prices !== undefined,
  };
}
