import { expect, test } from "vitest";
import type { BudgetWindow } from "../api/queries.ts";
import { byScope } from "./spending.ts";

const none = { cap: null, spent: 0, held: 0 };
const window = (scope: string, starts: string, spent: number, open = true, per = "day"): BudgetWindow => ({
  ...{ scope, per, starts: `${starts}T00:00:00.000Z`, until: starts, open, tokens: none, calls: none },
  micros: { cap: 100, spent, held: 0 },
});

test("windows stand under their budget in order, and the fullest budget first", () => {
  const found = byScope([
    window("a", "2026-01-02", 10),
    window("b", "2026-01-02", 90),
    window("b", "2026-01-03", 80),
    window("c", "2026-01-01", 99, false),
  ]);
  expect(
    found.map(({ scope, windows }) => [scope, windows.map(({ starts }) => starts.slice(0, 10))]),
  ).toEqual([
    ["b", ["2026-01-02", "2026-01-03"]],
    ["a", ["2026-01-02"]],
    ["c", ["2026-01-01"]],
  ]);
});

test.each([
  ["day", "2026-02-27", "2026-03-01", ["2026-02-27", "2026-02-28", "2026-03-01"]],
  ["month", "2025-11-01", "2026-01-01", ["2025-11-01", "2025-12-01", "2026-01-01"]],
])("a %s in which nothing was spent is drawn, empty", (per, first, last, drawn) => {
  const [found] = byScope([window("a", first, 1, false, per), window("a", last, 1, true, per)]);
  expect(found?.windows.map(({ starts }) => starts.slice(0, 10))).toEqual(drawn);
  expect(found?.windows.map(({ window }) => window?.micros.spent)).toEqual([1, undefined, 1]);
});
