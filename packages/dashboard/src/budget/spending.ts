import type { BudgetWindow } from "../api/queries.ts";

/** A budget's windows in order, without gaps: of one in which nothing was held there is no row. */
export interface Spending {
  readonly scope: string;
  readonly per: string;
  readonly latest: BudgetWindow;
  /** The oldest first. */
  readonly windows: readonly { readonly starts: string; readonly window: BudgetWindow | undefined }[];
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
  return [...found.values()]
    .flatMap((of) => {
      const [latest] = of.sort((a, b) => Date.parse(b.starts) - Date.parse(a.starts));
      return latest ? [{ scope: latest.scope, per: latest.per, latest, windows: inOrder(of, latest) }] : [];
    })
    .sort((a, b) => used(b.latest) - used(a.latest) || a.scope.localeCompare(b.scope));
}

function inOrder(windows: readonly BudgetWindow[], latest: BudgetWindow): Spending["windows"] {
  const known = new Map(windows.map((window) => [Date.parse(window.starts), window]));
  const oldest = Math.min(...known.keys());
  const drawn: { starts: string; window: BudgetWindow | undefined }[] = [];
  for (let at = Date.parse(latest.starts); at >= oldest && drawn.length < MOST; at = before(at, latest.per))
    drawn.unshift({ starts: new Date(at).toISOString(), window: known.get(at) });
  return drawn;
}

/** When the window before began. Windows are hours, days and months of UTC. */
function before(at: number, per: string): number {
  const date = new Date(at);
  if (per === "hour") return date.setUTCHours(date.getUTCHours() - 1);
  return per === "day" ? date.setUTCDate(date.getUTCDate() - 1) : date.setUTCMonth(date.getUTCMonth() - 1);
}

function used({ open, micros: { cap, spent, held } }: BudgetWindow): number {
  if (!open) return -1;
  return cap ? (spent + held) / cap : 0;
}
