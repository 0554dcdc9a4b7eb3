import { expect, test } from "vitest";
import type { BudgetWindow } from "../api/queries.ts";
import { byScope } from "./spending.ts";

const none = { cap: null, spent: 0, held: 0 };
const window = (scope: string, starts: string, spent: number, open = true): BudgetWindow => ({
  ...{ scope, per: "day", starts, until: starts, open, tokens: none, calls: none },
  micros: { cap: 100, spent, held: 0 },
});

test("windows stand under their budget, the latest first, and the fullest budget first", () => {
  const found = byScope([
    window("a", "2026-01-02", 10),
    window("b", "2026-01-02", 90),
    window("b", "2026-01-03", 80),
    window("c", "2026-01-01", 99, false),
  ]);
  expect(found.map(({ scope, windows }) => [scope, windows.map(({ starts }) => starts)])).toEqual([
    ["b", ["2026-01-03", "2026-01-02"]],
    ["a", ["2026-01-02"]],
    ["c", ["2026-01-01"]],
  ]);
});
