import { test as each, fc } from "@fast-check/vitest";
import { expect, test } from "vitest";
import { scaleOf } from "./scale.ts";

test("what is busy all the time is drawn as it was", () => {
  const scale = scaleOf([
    { from: 0, to: 4000 },
    { from: 4000, to: 10_000 },
  ]);
  expect([0, 2500, 5000, 10_000].map(scale.at)).toEqual([0, 0.25, 0.5, 1]);
  expect(scale.breaks).toEqual([]);
});

test("a night in which nothing happened is drawn short, and says how long it was", () => {
  const night = 8 * 3600 * 1000;
  const scale = scaleOf([
    { from: 0, to: 10_000 },
    { from: night, to: night + 10_000 },
  ]);
  expect(scale.breaks).toMatchObject([{ ms: night - 10_000 }]);
  expect(scale.at(10_000)).toBeGreaterThan(0.45);
  expect(scale.at(night)).toBeLessThan(0.55);
  expect(scale.ticks.length).toBeLessThan(12);
});

const spans = fc.array(fc.record({ from: fc.nat(1e9), ms: fc.nat(1e6) }), { minLength: 1, maxLength: 30 });

each.prop([spans, fc.nat(1e9), fc.nat(1e9)])(
  "later is never further left, and all of it is on the axis",
  (given, a, b) => {
    const scale = scaleOf(given.map(({ from, ms }) => ({ from, to: from + ms })));
    const [left, right] = [scale.at(Math.min(a, b)), scale.at(Math.max(a, b))];
    expect(left).toBeLessThanOrEqual(right);
    expect(left).toBeGreaterThanOrEqual(0);
    expect(right).toBeLessThanOrEqual(1);
  },
);
