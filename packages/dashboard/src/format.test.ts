import { expect, test } from "vitest";
import { ago, duration, money, oneLine, tokens } from "./format.ts";

test.each([
  [0, "0 ms"],
  [840, "840 ms"],
  [2310, "2.31 s"],
  [42_000, "42.0 s"],
  [192_000, "3 min 12 s"],
  [3_600_000, "1 h"],
  [183_600_000, "2 d 3 h"],
])("%i ms is %s", (ms, text) => {
  expect(duration(ms)).toBe(text);
});

test.each([
  [0, "$0.00"],
  [42, "$0.000042"],
  [4200, "$0.0042"],
  [1_200_000, "$1.20"],
  [1_250_000_000, "$1,250.00"],
])("%i micro-dollars are %s", (micros, text) => {
  expect(money(micros)).toBe(text);
});

test("instants are told by their distance", () => {
  expect([ago(0, 500), ago(0, 42_000), ago(0, 7_200_000), ago(60_000, 0)]).toEqual([
    "just now",
    "42 s ago",
    "2 h ago",
    "in 1 min",
  ]);
});

test("tokens are told in thousands, and long values in one line", () => {
  expect([tokens(812), tokens(12_340), tokens(1_200_000)]).toEqual(["812", "12.3k", "1.20M"]);
  expect(oneLine({ a: "x\n  y" }, 8)).toBe('{"a":"x…');
});
