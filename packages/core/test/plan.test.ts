import { expect, test } from "vitest";
import { decode, encode } from "../src/codec.ts";
import type { Effect, Fact } from "../src/ledger/entry.ts";
import { plan } from "../src/step/plan.ts";
import {
  doubted,
  given,
  intended,
  observed,
  refused,
  resolved,
  started,
  took,
} from "../src/testing/given.ts";

const key = "charge#0";
const effects = ["read", "idempotent", "once"] as const;

/** What becomes of the call `charge`, declared with `effect`, in a run with these facts. */
function planned(facts: readonly Fact[], effect: Effect | undefined = "once", digest = "d") {
  return plan(given(started, took(), ...facts).steps.get(key), digest, effect);
}

const once = intended(key);
const done = observed(key, 42);
const threw = observed(key, "no money", { ok: false });

test.each<[string, readonly Fact[], object]>([
  ["nothing is on record, it goes out", [], { do: "execute" }],
  ["its result is on record, it returns that", [once, done], { do: "return", output: "42" }],
  ["… also after a takeover", [once, done, took("crash")], { do: "return", output: "42" }],
  ["… also where it needed no intent", [done], { do: "return", output: "42" }],
  ["its error is on record, it throws that", [once, threw], { do: "throw", error: '"no money"' }],
  ["policy refused it, it is refused again", [refused(key), took("wait")], { do: "refuse" }],
  ["it was intended and cut short, it is in doubt", [once, took("crash")], { do: "resolve" }],
  ["it was aborted in this very epoch, it is in doubt", [once], { do: "resolve" }],
  ["a doubt is on record, it is in doubt", [once, doubted(key)], { do: "resolve" }],
  ["a doubt was followed by its result, it returns that", [once, doubted(key), done], { do: "return" }],
  [
    "a person said what it returned, it returns that",
    [once, took("crash"), doubted(key), resolved(key, true, "receipt")],
    { do: "return", output: '"receipt"' },
  ],
  [
    "a person said that it happened without a result, it returns nothing",
    [once, doubted(key), resolved(key, true)],
    { do: "return", output: undefined },
  ],
  [
    "a person said that it did not happen, it goes out",
    [once, doubted(key), resolved(key, false)],
    { do: "execute" },
  ],
  [
    "it went out again after that and was cut short again, it is in doubt again",
    [once, doubted(key), resolved(key, false), took("wait"), once, took("crash")],
    { do: "resolve" },
  ],
])("when %s", (_, facts, expected) => {
  expect(planned(facts)).toMatchObject(expected);
});

const repeatable = (effect: Effect) => effect !== "once";

test.each(
  effects.flatMap((then) =>
    effects.map((now) => ({ then, now, do: repeatable(then) && repeatable(now) ? "execute" : "resolve" })),
  ),
)("intended as $then, cut short, now declared $now: $do", ({ then, now, do: expected }) => {
  expect(planned([intended(key, { effect: then }), took("crash")], now)).toMatchObject({ do: expected });
});

test.each(effects)("a doubt on record is not repeated because it is declared %s", (effect) => {
  const facts = [intended(key, { effect }), doubted(key)];
  expect(planned(facts, effect)).toMatchObject({ do: "resolve" });
});

test("a call that declares no effect any more does not repeat one that had one", () => {
  expect(
    plan(given(started, intended(key, { effect: "read" })).steps.get(key), "d", undefined),
  ).toMatchObject({ do: "resolve" });
});

test.each<[string, readonly Fact[]]>([
  ["refused", [refused(key)]],
  ["intended", [once]],
  ["doubted", [once, doubted(key)]],
  ["done", [once, doubted(key), resolved(key, true, 1)]],
  ["undone", [once, doubted(key), resolved(key, false)]],
  ["observed", [once, done]],
])("a step that is %s and now asks something else diverges", (_, facts) => {
  expect(planned(facts, "read", "another")).toMatchObject({
    do: "diverge",
    why: expect.stringContaining("digest d, now another"),
  });
});

test("what is returned is the text on record, and decodes to the value", () => {
  const output = encode(new Map([["a", 1n]]));
  const run = given(started, intended(key), { ...done, value: output });
  const answer = plan(run.steps.get(key), "d", "once");
  expect(answer.do === "return" && answer.output && decode(answer.output)).toEqual(new Map([["a", 1n]]));
});
