import fc from "fast-check";
import { expect, test } from "vitest";
import { encode } from "../src/codec.ts";
import { type Entry, type Fact, stamped } from "../src/ledger/entry.ts";
import { advance, doubtsOf, isInDoubt, lanesOf, placesOf, replay } from "../src/ledger/replay.ts";
import {
  answered,
  doubted,
  entriesOf,
  given,
  intended,
  observed,
  refused,
  resampled,
  resolved,
  started,
  took,
} from "../src/testing/given.ts";

const key = "charge#0";

test("an empty ledger is a run in which nothing has happened", () => {
  expect(replay([])).toMatchObject({ seq: 0, epoch: 0, start: undefined, outcome: undefined });
});

test.each<[string, readonly Fact[], object]>([
  ["an intent", [intended(key)], { at: "intended", attempts: 1 }],
  ["a result after its intent", [intended(key), observed(key, 1)], { at: "observed", attempts: 1 }],
  ["a result without an intent", [observed(key, 1)], { at: "observed", attempts: 0, intent: undefined }],
  ["a refusal", [refused(key)], { at: "refused", attempts: 0 }],
  ["a doubt", [intended(key), doubted(key)], { at: "doubted" }],
  ["a doubt, and then the result", [intended(key), doubted(key), observed(key, 1)], { at: "observed" }],
  ["a resolution of a doubt", [intended(key), doubted(key), resolved(key, true)], { at: "done" }],
  ["a resolution of an intent", [intended(key), resolved(key, true)], { at: "done" }],
  ["a resolution that nothing happened", [intended(key), resolved(key, false)], { at: "undone" }],
  [
    "another intent after a resolution that nothing happened",
    [intended(key), resolved(key, false), intended(key)],
    { at: "intended", attempts: 2 },
  ],
  [
    "another intent after a takeover",
    [intended(key, { effect: "idempotent" }), took("crash"), intended(key, { effect: "idempotent" })],
    { at: "intended", attempts: 2 },
  ],
])("after %s, the step is so", (_, facts, expected) => {
  const run = given(started, took(), ...facts);
  const step = [...run.steps.values()].at(-1);
  expect(step).toMatchObject(expected);
});

test("after a model's answer was set aside, there is no such step", () => {
  const run = given(started, took(), answered("model#0", 1), resampled("model#0"));
  expect([...run.steps.keys()]).toEqual([]);
});

test("takeovers count by what they come after, and raise the epoch", () => {
  const run = given(started, took(), took("crash"), took("retry"), took("retry"), took("wait"));
  expect(run).toMatchObject({ epoch: 5, attempts: { crashes: 1, retries: 2, resumes: 1 } });
});

test("an outcome is the run's, until somebody takes the run over to try again", () => {
  const failed: Fact = { kind: "outcome", status: "failed", kept: true, value: encode("no") };
  expect(given(started, took(), failed).outcome).toMatchObject({ status: "failed" });
  expect(given(started, took(), failed, took("retry")).outcome).toBeUndefined();
});

test("commands and notes of other kinds change no step", () => {
  const facts: Fact[] = [
    intended(key),
    { kind: "command", command: "pause", by: "ana" },
    { kind: "note", note: "drift", step: key, differs: ["prompt"] },
    { kind: "note", note: "parked", waitingOn: "caller" },
  ];
  expect([...given(started, took(), ...facts).steps.values()]).toMatchObject([{ key, at: "intended" }]);
});

test("an observation may come under an epoch that is current, also after the run was parked", () => {
  const parked: Fact = { kind: "note", note: "parked", waitingOn: "doubt" };
  const run = given(started, took(), intended(key), parked, observed(key, 1));
  expect(run.steps.get(key)).toMatchObject({ at: "observed" });
});

const good = entriesOf(started, took(), intended(key), observed(key, 1), took("crash"));

test.each<[string, Entry[]]>([
  ["a gap in its numbers", good.filter(({ seq }) => seq !== 3)],
  ["an entry twice", [...good.slice(0, 2), ...good.slice(1)]],
  ["a beginning that is missing", good.slice(1)],
  ["an entry of an epoch that is over", [...good, stamp(observed("other#0", 1), 6, 1)]],
  ["a start in the middle", [...good, stamp(started, 6, 2)]],
  ["a second result of one step", [...good, stamp(observed(key, 2), 6, 2)]],
  ["an intent of a step that has a result", [...good, stamp(intended(key), 6, 2)]],
  ["a doubt of a step that was never intended", [...good, stamp(doubted("other#0"), 6, 2)]],
  ["a doubt of a step that has a result", [...good, stamp(doubted(key), 6, 2)]],
  ["a resolution of a step that has a result", [...good, stamp(resolved(key, false), 6, 2)]],
  ["a resolution of a step that was never intended", [...good, stamp(resolved("other#0", true), 6, 2)]],
  ["a second doubt", entriesOf(started, took(), intended(key), doubted(key), doubted(key))],
  [
    "a second resolution",
    entriesOf(started, took(), intended(key), resolved(key, true), resolved(key, false)),
  ],
  ["a result after a resolution", entriesOf(started, intended(key), resolved(key, true), observed(key, 1))],
  ["two intents of a `once` call in one epoch", entriesOf(started, took(), intended(key), intended(key))],
  [
    "an intent of a step in doubt",
    entriesOf(started, intended(key), doubted(key), took("crash"), intended(key)),
  ],
  ["an intent of a step that policy refused", entriesOf(started, took(), refused(key), intended(key))],
  ["a refusal of a step that has a result", [...good, stamp(refused(key), 6, 2)]],
])("%s is a corrupt ledger", (_, entries) => {
  expect(() => replay(entries)).toThrow("(LEDGER_CORRUPT)");
});

function stamp(fact: Fact, seq: number, epoch: number): Entry {
  return stamped(fact, { runId: "r", seq, epoch, at: new Date(0) });
}

test("an open intent is in doubt once its epoch is over, and not before", () => {
  const step = (run: ReturnType<typeof given>) => isInDoubt(run.steps.get(key) ?? fail(), run);
  expect(step(given(started, took(), intended(key)))).toBe(false);
  expect(step(given(started, took(), intended(key), took("crash")))).toBe(true);
  expect(step(given(started, took(), intended(key), doubted(key)))).toBe(true);
});

function fail(): never {
  throw new Error("there is no such step");
}

test.each<[string, readonly Fact[], boolean, string[]]>([
  ["an open `once` call of this epoch, its owner at work", [intended(key)], false, []],
  ["an open `once` call that its owner left behind", [intended(key)], true, [key]],
  ["an open `once` call of an epoch that is over", [intended(key), took("crash")], false, [key]],
  ["a doubt on record", [intended(key), doubted(key)], false, [key]],
  ["an open call that may be repeated", [intended(key, { effect: "idempotent" }), took("crash")], true, []],
  ["a call with a result", [intended(key), observed(key, 1), took("crash")], true, []],
  ["a doubt that was resolved", [intended(key), doubted(key), resolved(key, false)], true, []],
])("of doubts there are: %s", (_, facts, abandoned, expected) => {
  expect(doubtsOf(given(started, took(), ...facts), abandoned).map((step) => step.key)).toEqual(expected);
});

test("places stand in order of n, whatever order they finished in", () => {
  const run = given(
    started,
    took(),
    observed("look#2", 1, { digest: "c", parallel: true }),
    observed("look#0", 1, { digest: "a", parallel: true }),
    observed("look#1", 1, { digest: "b" }),
  );
  expect(placesOf(run, "", "look").map(({ n, digest, parallel }) => [n, digest, parallel])).toEqual([
    [0, "a", true],
    [1, "b", false],
    [2, "c", true],
  ]);
});

test("a lane is known by what its first call asked, also a lane inside a tool's body", () => {
  const run = given(
    started,
    took(),
    answered("agent.0/model#0", 1, { digest: "first" }),
    answered("agent.0/model#1", 1, { digest: "second" }),
    observed("agent.0/model#1/pay:7/sub.0/look#0", 1, { digest: "inner" }),
  );
  expect(lanesOf(run, "", "agent")).toEqual([{ n: 0, digest: "first", parallel: false }]);
  expect(lanesOf(run, "agent.0/model#1/pay:7", "sub")).toEqual([{ n: 0, digest: "inner", parallel: false }]);
});

test("answers that were set aside free their places, and their lanes for what is asked first next", () => {
  const run = given(
    started,
    took(),
    answered("agent.0/model#0", 1, { digest: "old" }),
    took("retry"),
    resampled("agent.0/model#0"),
    answered("agent.0/model#0", 2, { digest: "new" }),
  );
  expect(placesOf(run, "agent.0", "model")).toEqual([{ n: 0, digest: "new", parallel: false }]);
  expect(lanesOf(run, "", "agent")).toEqual([{ n: 0, digest: "new", parallel: false }]);
});

/** Ledgers that a run could have: what may happen next is drawn from what is open now. */
const ledgers = fc.array(fc.nat(), { maxLength: 40 }).map((choices) => {
  const facts: Fact[] = [started, took()];
  let next = 0;
  for (const choice of choices) {
    const run = given(...facts);
    const open = [...run.steps.values()].find(({ at }) => at === "intended");
    const doubt = [...run.steps.values()].find(({ at }) => at === "doubted");
    const last = [...run.steps.values()].findLast(({ at }) => at === "observed");
    const possible: Fact[] = [
      intended(`a.${choice % 3}/pay#${next}`),
      answered(`a.${choice % 3}/model#${next}`, choice, { digest: `d${choice % 4}` }),
      refused(`no#${next}`),
      took("crash"),
      ...(open ? [observed(open.key, choice), doubted(open.key)] : []),
      ...(doubt ? [resolved(doubt.key, choice % 2 === 0)] : []),
      ...(last ? [resampled(last.key)] : []),
    ];
    next++;
    facts.push(possible[choice % possible.length] ?? fail());
  }
  return entriesOf(...facts);
});

test("a run that was folded up to some entry and then advanced is the run folded from the whole", () => {
  fc.assert(
    fc.property(ledgers, fc.nat(), (entries, cut) => {
      const run = replay(entries.slice(0, cut % (entries.length + 1)));
      for (const entry of entries.slice(run.seq)) advance(run, entry);
      expect(run).toEqual(replay(entries));
    }),
  );
});
