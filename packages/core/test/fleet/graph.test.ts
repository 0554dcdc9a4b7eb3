import { fc, test as property } from "@fast-check/vitest";
import { describe, expect, test } from "vitest";
import { tellingOf } from "../../src/fleet/dependencies.ts";
import { orderOf } from "../../src/fleet/graph.ts";
import { timesOf } from "../../src/fleet/schedules.ts";

const node = (name: string, ...after: string[]) => ({ name, after });

test.each([
  ["an unknown name", [node("a", "b")]],
  ["a name twice", [node("a"), node("a")]],
  ["an edge twice", [node("a"), node("b", "a", "a")]],
  ["a circle", [node("a", "c"), node("b", "a"), node("c", "b")]],
  ["a run that comes after itself", [node("a", "a")]],
  ["nothing", []],
  ["a run without a name", [node("")]],
  [
    "another word for a failure",
    [node("a"), { name: "b", after: [{ name: "a", onFailure: "retry" as never }] }],
  ],
])("a flow with %s is refused", (_, nodes) => {
  expect(() => orderOf("flow", nodes)).toThrow("(INVALID_ARGUMENT)");
});

property.prop([fc.array(fc.tuple(fc.nat(8), fc.nat(8)), { maxLength: 30 })])(
  "a flow without a circle is ordered so that each run stands behind all that it comes after",
  (pairs) => {
    const names = "abcdefghi".split("");
    const after = (i: number) =>
      [
        ...new Set(
          pairs.filter(([from, to]) => Math.max(from, to) === i && from !== to).map((p) => Math.min(...p)),
        ),
      ].map((j) => names[j] ?? "");
    const nodes = names.map((name, i) => node(name, ...after(i))).reverse();
    const order = orderOf("flow", nodes);
    expect(new Set(order)).toEqual(new Set(nodes));
    for (const [i, { after }] of order.entries()) {
      const before = order.slice(0, i).map(({ name }) => name);
      for (const needed of after) expect(before).toContain(needed);
    }
  },
);

describe("what an end means for a run that waits for it", () => {
  const waiting = { status: "waiting", waitingOn: "dependency", name: "fetch", left: 0 } as const;
  test.each([
    [
      "the last one it needed",
      { ...waiting, onFailure: "fail", endedStatus: "succeeded" },
      { at: "told", wakes: true },
    ],
    [
      "one of several",
      { ...waiting, left: 1, onFailure: "fail", endedStatus: "succeeded" },
      { at: "told", wakes: false },
    ],
    [
      "a failure that fails it",
      { ...waiting, left: 3, onFailure: "fail", endedStatus: "dead" },
      { at: "fails" },
    ],
    [
      "a failure that it goes on without",
      { ...waiting, onFailure: "skip", endedStatus: "failed" },
      { at: "told", wakes: true },
    ],
    [
      "a child's, whatever came of it",
      { ...waiting, left: 2, onFailure: "tell", endedStatus: "failed" },
      { at: "told", wakes: true },
    ],
    [
      "while it is at work",
      { ...waiting, status: "running", waitingOn: null, onFailure: "tell", endedStatus: "succeeded" },
      { at: "told", wakes: false },
    ],
    [
      "while it waits for something else",
      { ...waiting, waitingOn: "approval", onFailure: "tell", endedStatus: "succeeded" },
      { at: "told", wakes: false },
    ],
    [
      "after it has ended itself",
      { ...waiting, status: "cancelled", waitingOn: null, onFailure: "fail", endedStatus: "failed" },
      { at: "over" },
    ],
  ] as const)("%s", (_, end, telling) => {
    expect(tellingOf(end)).toMatchObject(telling);
  });
});

describe("times that a schedule has come to", () => {
  const at = (text: string) => new Date(`2026-03-${text}Z`);
  const nightly = { cron: "0 3 * * *", timezone: "UTC" };

  test("one that has just passed is started, whatever is done about those that were missed", () => {
    for (const missed of ["skip", "one", "all"] as const) {
      const { times, next } = timesOf({ ...nightly, missed }, at("10T03:00:00"), at("10T03:00:01"));
      expect(times).toEqual([at("10T03:00:00")]);
      expect(next).toEqual(at("11T03:00:00"));
    }
  });

  test.each([
    ["skip", []],
    ["one", [at("12T03:00:00")]],
    ["all", [at("10T03:00:00"), at("11T03:00:00"), at("12T03:00:00")]],
  ] as const)("of those that passed while everything was down, %s", (missed, expected) => {
    const { times, next } = timesOf({ ...nightly, missed }, at("10T03:00:00"), at("12T12:00:00"));
    expect(times).toEqual(expected);
    expect(next).toEqual(at("13T03:00:00"));
  });

  test("three in the morning is three in the morning where it is meant, also when the clocks change", () => {
    const berlin = { cron: "0 3 * * *", timezone: "Europe/Berlin", missed: "all" } as const;
    const { times } = timesOf(berlin, at("28T02:00:00"), at("30T12:00:00"));
    // 29 March 2026: summer time begins, and three o'clock comes an hour earlier by UTC.
    expect(times).toEqual([at("28T02:00:00"), at("29T01:00:00"), at("30T01:00:00")]);
  });
});
