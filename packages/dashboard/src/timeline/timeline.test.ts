import { expect, test } from "vitest";
import { given, intent, observation, start, takeover } from "../../test/given.ts";
import type { CallRow } from "./row.ts";
import { timelineOf } from "./timeline.ts";

const callsOf = (...entries: Parameters<typeof given>): CallRow[] =>
  timelineOf(given(...entries))
    .sections.flatMap(({ rows }) => rows)
    .filter((row) => row.row === "call");

test("a call is as long as from its intent to its observation", () => {
  const [call] = callsOf(start, takeover("a"), intent("send#0", "send"), {
    ...observation("send#0", "send"),
    afterMs: 250,
  });
  expect(call).toMatchObject({
    name: "send",
    state: "ok",
    from: 2000,
    to: 2250,
    effect: "once",
    input: { n: 1 },
    output: "o",
  });
});

test("a model call without an intent is as long as it said", () => {
  const [call] = callsOf(start, takeover("a"), observation("g.0/model#0", "m", "model", 400));
  expect(call).toMatchObject({ call: "model", state: "ok", from: 1600, to: 2000 });
});

test("a call that its process did not live to hear of is cut off, and the next attempt is a row in the next section", () => {
  const { sections } = timelineOf(
    given(
      start,
      takeover("a"),
      observation("g.0/model#0", "m", "model"),
      intent("pay#0", "pay", "idempotent"),
      takeover("b", "crash"),
      intent("pay#0", "pay", "idempotent"),
      observation("pay#0", "pay"),
    ),
  );
  expect(sections).toMatchObject([
    { takeover: { worker: "a" }, recorded: 0, cutOff: 0 },
    { takeover: { worker: "b", after: "crash" }, recorded: 1, cutOff: 1 },
  ]);
  const call = (section: number) =>
    sections[section]?.rows.find((row) => row.row === "call" && row.name === "pay");
  expect(call(0)).toMatchObject({ state: "cut", to: 4000, again: false });
  expect(call(1)).toMatchObject({ state: "ok", again: true });
});

test("a worker that notices a death and claims the run itself takes over once", () => {
  const handover = { kind: "takeover", worker: "b", after: "handover" } as const;
  const died = [
    start,
    takeover("a"),
    intent("a#0", "a"),
    takeover("b", "crash"),
    { kind: "note", note: "released" },
  ] as const;
  expect(timelineOf(given(...died, handover)).sections).toHaveLength(2);
  expect(timelineOf(given(...died, { ...handover, worker: "c" })).sections).toHaveLength(3);
});

test("a doubt marks the call that it is about, and a resolution says what became of it", () => {
  const doubted = [
    start,
    takeover("a"),
    intent("pay#0", "pay"),
    takeover("b", "crash"),
    { kind: "doubt", step: "pay#0", why: "no news" },
  ] as const;
  expect(callsOf(...doubted)).toMatchObject([{ state: "doubt", reason: "no news" }]);
  const resolved = { kind: "resolution", step: "pay#0", happened: true, by: "ana", output: 7 } as const;
  expect(callsOf(...doubted, resolved)).toMatchObject([{ state: "happened", output: 7 }]);
  expect(callsOf(...doubted, { ...resolved, happened: false })).toMatchObject([{ state: "undone" }]);
});

test("a question, its answer and the call that it lets go out are one row", () => {
  const question = {
    kind: "question",
    question: "q",
    step: "pay#0",
    asks: "approval",
    call: "tool",
    name: "pay",
  } as const;
  const answer = { kind: "answer", question: "q", step: "pay#0", says: "approved", by: "ana" } as const;
  expect(callsOf(start, takeover("a"), question)).toMatchObject([{ state: "asked", askedAt: 2000 }]);
  const calls = callsOf(
    start,
    takeover("a"),
    question,
    answer,
    takeover("b", "wait"),
    intent("pay#0", "pay"),
    observation("pay#0", "pay"),
  );
  expect(calls).toMatchObject([{ state: "ok", askedAt: 2000, from: 5000, to: 6000, again: false }]);
});

test("drift and retries are marked on the call", () => {
  const [call] = callsOf(
    start,
    takeover("a"),
    observation("g.0/model#0", "m", "model"),
    { kind: "note", note: "drift", step: "g.0/model#0", differs: ["prompt"] },
    { kind: "note", note: "retried", step: "g.0/model#0", tries: 2, error: "busy", waitMs: 5 },
  );
  expect(call).toMatchObject({ drift: ["prompt"], tries: 3 });
});

test("a run can be forked behind every entry at which no call is under way", () => {
  const { forkable } = timelineOf(
    given(start, takeover("a"), intent("a#0", "a"), observation("a#0", "a"), intent("b#0", "b")),
  );
  expect([...forkable]).toEqual([1, 2, 4]);
});

test("lanes have a header, calls made in a tool's body stand under it, and tool calls beside the model that asked for them", () => {
  const [section] = timelineOf(
    given(
      start,
      takeover("a"),
      observation("agent.0/model#0", "m", "model"),
      intent("agent.0/model#0/pay:call_1", "pay"),
      observation("agent.0/model#0/pay:call_1/inner.1/model#0", "n", "model"),
      observation("agent.0/model#0/pay:call_1", "pay"),
    ),
  ).sections;
  const shown = section?.rows.map((row) => [
    row.row === "lane" ? row.label : row.row === "call" ? row.name : "·",
    row.depth,
  ]);
  expect(shown).toEqual([
    ["·", 0],
    ["agent", 0],
    ["m", 1],
    ["pay", 1],
    ["inner 2", 2],
    ["n", 3],
  ]);
});

test("no entries are an empty timeline, and any beginning of a ledger is a timeline", () => {
  const entries = given(
    start,
    takeover("a"),
    intent("a#0", "a"),
    takeover("b", "crash"),
    intent("a#0", "a"),
    observation("a#0", "a"),
  );
  for (let n = 0; n <= entries.length; n++)
    expect(timelineOf(entries.slice(0, n)).sections.length).toBe(n === 0 ? 0 : n < 4 ? 1 : 2);
});
