import { fc, test as property } from "@fast-check/vitest";
import { expect, test } from "vitest";
import { align } from "../src/diff/align.ts";
import type { Fact } from "../src/ledger/entry.ts";
import { answered, given, intended, observed, started } from "../src/testing/given.ts";

const told = (a: readonly Fact[], b: readonly Fact[]) =>
  align(given(started, ...a), given(started, ...b)).map(({ a, b }) =>
    [a?.key ?? "–", b?.key ?? "–"].join(" "),
  );

test("steps of one lane and place are one, whatever they ask", () => {
  expect(told([answered("l.0/model#0", 1)], [answered("l.0/model#0", 2, { digest: "e" })])).toEqual([
    "l.0/model#0 l.0/model#0",
  ]);
});

test("tool calls whose ids differ are told by what they ask, and then by their order", () => {
  const calls = (...ids: readonly string[]) => [
    answered("model#0", 1),
    ...ids.flatMap((id) => [intended(`model#0/find:${id}`, { digest: `of ${id.slice(1)}` })]),
  ];
  expect(told(calls("1ana", "1bob"), calls("2bob", "2ana"))).toEqual([
    "model#0 model#0",
    "model#0/find:1ana model#0/find:2ana",
    "model#0/find:1bob model#0/find:2bob",
  ]);
  expect(told(calls("1ana", "1bob"), calls("2cy", "2bob", "2di"))).toEqual([
    "model#0 model#0",
    "model#0/find:1ana model#0/find:2cy",
    "model#0/find:1bob model#0/find:2bob",
    "– model#0/find:2di",
  ]);
});

test("lanes side by side are told by how they begin", () => {
  const lanes = (first: string, second: string) => [
    answered("agent.0/model#0", 1, { digest: first }),
    answered("agent.1/model#0", 1, { digest: second }),
  ];
  expect(told(lanes("x", "y"), lanes("y", "x"))).toEqual([
    "agent.0/model#0 agent.1/model#0",
    "agent.1/model#0 agent.0/model#0",
  ]);
});

test("what only the other has stands where it happened", () => {
  const steps = (...names: readonly string[]) => names.map((name) => observed(`${name}#0`, 1));
  expect(told(steps("a", "c"), steps("a", "b", "c", "d"))).toEqual(["a#0 a#0", "– b#0", "c#0 c#0", "– d#0"]);
});

const key = fc
  .array(fc.constantFrom("l.0", "l.1", "model#0", "model#1", "find:1", "find:2", "pay=7", "a#0"), {
    minLength: 1,
    maxLength: 4,
  })
  .map((segments) => segments.join("/"));
const ledger = fc
  .uniqueArray(fc.record({ key, digest: fc.constantFrom("d", "e") }), {
    selector: ({ key }) => key,
    maxLength: 12,
  })
  .map((steps) => given(started, ...steps.map(({ key, digest }) => observed(key, 1, { digest }))));

property.prop([ledger])("a run is aligned with itself, step by step", (run) => {
  expect(align(run, run).every(({ a, b }) => a === b)).toBe(true);
  expect(align(run, run)).toHaveLength(run.steps.size);
});

property.prop([ledger, ledger])("every step of both runs stands in one pair", (one, other) => {
  const pairs = align(one, other);
  const keys = (side: "a" | "b") => new Set(pairs.flatMap((pair) => pair[side]?.key ?? []));
  expect(keys("a")).toEqual(new Set(one.steps.keys()));
  expect(keys("b")).toEqual(new Set(other.steps.keys()));
  expect(pairs.filter(({ a }) => a)).toHaveLength(one.steps.size);
  expect(pairs.filter(({ b }) => b)).toHaveLength(other.steps.size);
});
