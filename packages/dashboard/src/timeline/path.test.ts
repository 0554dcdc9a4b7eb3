import { expect, test } from "vitest";
import { containersOf } from "./path.ts";

const labels = (step: string) => containersOf(step).map(({ is, label }) => `${is} ${label}`);

test.each([
  ["charge#0", []],
  ["generateText.0/model#1", ["lane generateText"]],
  ["generateText.1/model#1/refund:call_7", ["lane generateText 2"]],
  ["a.0/model#0/refund:call_7/lookup#0", ["lane a", "call refund"]],
  ["outer#2/inner#0", ["call outer 3"]],
  ["refund=order-42/inner#0", ["call refund"]],
  ["a%2Fb.0/model#0", ["lane a/b"]],
  ["%uD83D.0/model#0", ["lane %uD83D"]],
])("%s stands inside %j", (step, expected) => {
  expect(labels(step)).toEqual(expected);
});
