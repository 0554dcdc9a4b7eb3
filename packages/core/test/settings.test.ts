import { expect, test } from "vitest";
import { Holdfast } from "../src/holdfast.ts";
import { settingsOf } from "../src/settings.ts";

const tools = {
  "lookup_*": { effect: "read" },
  lookup_and_pay: { effect: "once" },
  "*": { effect: "idempotent" },
  "lookup_late*": { effect: "once" },
} as const;

test.each([
  ["its exact name", "lookup_and_pay", { effect: "once" }],
  ["a glob", "lookup_order", { effect: "read" }],
  ["the first glob that fits", "lookup_late_order", { effect: "read" }],
  ["a glob that comes last where no other fits", "pay", { effect: "idempotent" }],
])("a tool's settings are found by %s", (_, name, expected) => {
  expect(settingsOf(tools, name)).toEqual(expected);
});

test.each([
  ["a.c", "abc"],
  ["a|b", "a"],
  ["[ab]", "a"],
  ["toString", "constructor"],
  ["pay", "pay_all"],
])("the pattern %j does not mean %j", (pattern, name) => {
  expect(settingsOf({ [pattern]: { effect: "read" } }, name)).toEqual({});
});

test("a tool named like something that every object has is not declared", () => {
  expect(settingsOf({}, "constructor")).toEqual({});
});

test.each<[string, object]>([
  ["an effect that does not exist", { tools: { pay: { effect: "reed" } } }],
  ["a field that does not exist", { tools: { pay: { effekt: "read" } } }],
  ["settings that are none", { tools: { pay: "read" } }],
  ["a drift policy that does not exist", { drift: "ignore" }],
  ["a lease that is too short", { leaseSeconds: 0.1 }],
  ["a lease that is no number", { leaseSeconds: NaN }],
  ["a grace that is too short", { graceSeconds: 0 }],
  ["an outsideRun that does not exist", { outsideRun: "warn" }],
])("%s is refused when Holdfast is made", (_, options) => {
  expect(() => new Holdfast(options)).toThrow("(INVALID_ARGUMENT)");
});
