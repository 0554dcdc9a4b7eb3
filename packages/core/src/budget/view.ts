import { heldIn, type ModelSpending, type Tally } from "./tally.ts";

/** What is counted of one unit. `cap` and `left` are undefined where the unit is not limited. */
export interface Spent {
  readonly cap: number | undefined;
  readonly spent: number;
  readonly held: number;
  readonly left: number | undefined;
}

/** What a run has spent, holds and has left, in micro-dollars; beside it the same in tokens and in calls. */
export interface BudgetView extends Spent {
  /** So much of what is spent is estimated: calls of which nobody said what they cost. */
  readonly estimated: number;
  readonly tokens: Spent;
  readonly calls: Spent;
  /** What each model has used, by `provider/model`. */
  readonly models: Readonly<Record<string, ModelSpending>>;
}

export function viewOf(tally: Tally): BudgetView {
  const held = heldIn(tally);
  const of = (unit: "micros" | "tokens" | "calls"): Spent => {
    const cap = tally.cap?.[unit];
    const spent = tally.spent[unit];
    const left = cap === undefined ? undefined : Math.max(0, cap - spent - held[unit]);
    return { cap, spent, held: held[unit], left };
  };
  return {
    ...of("micros"),
    estimated: tally.estimated,
    tokens: of("tokens"),
    calls: of("calls"),
    models: Object.fromEntries(tally.models),
  };
}
