import { expect, test } from "vitest";
import { byLane, type Part, type StepDiff, sorted } from "./laid-out.ts";

const step = (key: string): StepDiff => ({
  ...{ at: "same", lane: "", name: key, a: key, b: key, asked: [], outcome: [] },
  ...{ usage: {}, cost: {}, ms: {} },
});
const part = (path: string): Part => ({ path, lines: [] });

test("steps that follow each other in a lane stand under its name", () => {
  const lanes = byLane(
    ["a#0", "generateText.0/model#0", "generateText.0/model#0/pay:1", "generateText.1/model#0", "b#0"].map(
      step,
    ),
  );
  expect(lanes.map(({ lane, steps }) => [lane, steps.length])).toEqual([
    ["", 1],
    ["generateText", 2],
    ["generateText 2", 1],
    ["", 1],
  ]);
});

test.each([
  ["prompt[0].content", "model", "telling"],
  ["", "model", "telling"],
  ["content[0].toolCallId", "model", "madeUp"],
  ["response.headers.date", "model", "madeUp"],
  ["response.id", "model", "madeUp"],
  ["prompt[3].content[0].input.id", "model", "telling"],
  ["id", "tool", "telling"],
] as const)("%o of a %s is %s", (path, call, is) => {
  expect(sorted([part(path)], call)[is]).toEqual([part(path)]);
});
