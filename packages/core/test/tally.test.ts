import { fc, test as prop } from "@fast-check/vitest";
import { expect, test } from "vitest";
import { type Amount, NOTHING, plus } from "../src/budget/amount.ts";
import { changesOf, cutOff, heldIn, newTally, tally } from "../src/budget/tally.ts";
import type { Fact } from "../src/ledger/entry.ts";
import { entriesOf, intended, observed, resolved, started, took } from "../src/testing/given.ts";

const BUDGETS = ["tag:a/day/1", "agent:b/month/1"];

const money = fc.nat({ max: 1000 });
const step = fc.constantFrom("a", "b", "c");

/** What may be said of a step, whether or not it makes sense there: money must not go wrong by it. */
const fact: fc.Arbitrary<Fact> = fc.oneof(
  fc
    .record({
      step,
      hold: money,
      tokens: money,
      effect: fc.constantFrom("read", "once", "idempotent"),
      model: fc.boolean(),
    })
    .map(({ step, hold, tokens, effect, model }) =>
      intended(step, {
        hold,
        tokens,
        effect: effect as "read",
        call: model ? "model" : "tool",
        budgets: BUDGETS,
      }),
    ),
  fc.tuple(step, money).map(([step, cost]) => observed(step, "done", { cost })),
  fc
    .tuple(step, money)
    .map(([step, cost]): Fact => ({ kind: "note", note: "settled", step, name: step, why: "", cost })),
  fc.tuple(step, fc.boolean()).map(([step, happened]) => resolved(step, happened)),
  fc.constant<Fact>(took("crash")),
  fc.constant<Fact>({ kind: "outcome", status: "failed", kept: false }),
);

prop.prop([fc.array(fact, { maxLength: 40 }), fc.infiniteStream(fc.integer({ min: 1, max: 5 }))])(
  "what facts change in shared budgets is what their fold says, however they are put together",
  (facts, sizes) => {
    const run = newTally();
    const entries = entriesOf(started, took(), ...facts);
    let [held, spent, opened] = [NOTHING, NOTHING, 0];
    for (let from = 0; from < entries.length; ) {
      const batch = entries.slice(from, from + (sizes.next().value as number));
      from += batch.length;
      for (const change of changesOf(run, batch, 1)) {
        if (change.budget === BUDGETS[0]) {
          held = plus(held, change.held);
          spent = plus(spent, change.spent);
        }
        opened += change.opened;
      }
      for (const entry of batch) tally(run, entry);
    }
    expect(held).toEqual(heldIn(run));
    expect(opened).toBe(run.open.size);
    const least = (amount: Amount) => Math.min(amount.micros, amount.tokens, amount.calls);
    expect(least(held)).toBeGreaterThanOrEqual(0);
    expect(spent.micros).toBeLessThanOrEqual(run.spent.micros); // what was held for is part of all that was spent
    expect(least(spent)).toBeGreaterThanOrEqual(0);
  },
);

prop.prop([fc.array(fact, { maxLength: 40 })])("a run that has ended holds nothing", (facts) => {
  const run = newTally();
  for (const entry of entriesOf(started, took(), ...facts, {
    kind: "outcome",
    status: "failed",
    kept: false,
  })) {
    tally(run, entry);
  }
  expect(heldIn(run)).toEqual(NOTHING);
});

test("of what an owner left behind only calls that may have been billed are said to be cut off", () => {
  const run = newTally();
  const left = [
    intended("model", { call: "model", effect: "read", hold: 10 }),
    intended("look", { effect: "read", hold: 20 }),
    intended("pay", { effect: "idempotent", hold: 30 }),
    intended("wire", { effect: "once", hold: 40 }),
  ];
  for (const entry of entriesOf(started, took(), ...left)) tally(run, entry);
  expect(cutOff(run, 1)).toEqual([]);
  expect(cutOff(run, 2).map(({ step, cost, estimated }) => [step, cost, estimated])).toEqual([
    ["model", 10, true],
    ["look", 20, true],
  ]);
});

test("a fork has spent nothing of what it was forked from, and keeps its cap", () => {
  const run = newTally();
  const forked: Fact = { kind: "note", note: "forked", from: "r", shared: 3 };
  const before = [{ ...started, budget: { micros: 100 } }, took(), observed("a", 1, { cost: 7 })] as const;
  for (const entry of entriesOf(...before, forked, observed("b", 1, { cost: 2 }))) tally(run, entry);
  expect([run.cap, run.spent.micros]).toEqual([{ micros: 100 }, 2]);
});
