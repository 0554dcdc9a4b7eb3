import type { BudgetWindow } from "../api/queries.ts";

/** The windows of one budget, the latest first. */
export interface Spending {
  readonly scope: string;
  readonly per: string;
  readonly windows: readonly BudgetWindow[];
}

/** So many windows of one budget are drawn. */
const MOST = 31;

/** Windows by the budget they are of. Those that are open and nearest to their cap come first. */
export function byScope(windows: readonly BudgetWindow[]): Spending[] {
  const found = new Map<string, BudgetWindow[]>();
  for (const window of windows) {
    const key = JSON.stringify([window.scope, window.per]);
    found.set(key, [...(found.get(key) ?? []), window]);
  }
  const spendings = [...found.values()].map((of) => {
    const latest = [...of].sort((a, b) => b.starts.localeCompare(a.starts)).slice(0, MOST);
    return { scope: latest[0]?.scope ?? "", per: latest[0]?.per ?? "", windows: latest };
  });
  return spendings.sort((a, b) => used(b) - used(a) || a.scope.localeCompare(b.scope));
}

function used({ windows: [latest] }: Spending): number {
  if (!latest?.open) return -1;
  const { cap, spent, held } = latest.micros;
  return cap ? (spent + held) / cap : 0;
}
