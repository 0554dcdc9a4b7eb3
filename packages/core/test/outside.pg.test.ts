import { describe, expect, test } from "vitest";
import { doubtsOn } from "../src/doubts.ts";
import { HoldfastError } from "../src/errors.ts";
import { replay } from "../src/ledger/replay.ts";
import { park } from "../src/store/lease.ts";
import { append, type Lease } from "../src/store/ledger.ts";
import { writeOutside } from "../src/store/outside.ts";
import { doubted, intended, observed, resolved } from "../src/testing/given.ts";
import { aRun, aWorker, entriesOf, headOf, newId, takeOver, toldOf, useStore } from "./store.ts";

const store = useStore();
const doubts = doubtsOn(async () => store.db);
const step = "wire#0";
const ana = { by: "ana" };

/** A run that is parked because nobody knows whether its step `wire#0` happened: five entries. */
async function inDoubt(): Promise<Lease> {
  const lease = await aRun(store, await aWorker(store));
  await append(store.db, [
    { lease, number: 1, facts: [intended(step, { value: "7" as never }), doubted(step)] },
  ]);
  await park(store.db, { lease, number: 2 }, 4, { waitingOn: "doubt" });
  return lease;
}

describe("a writer from outside", () => {
  test("writes where the ledger stands as it has seen it", async () => {
    const lease = await inDoubt();
    expect(await writeOutside(store.db, lease, 5, resolved(step, false))).toBe(true);
    expect((await entriesOf(store, lease)).at(-1)).toMatchObject({ kind: "resolution", seq: 6 });
  });

  test("does not write where the ledger has moved on", async () => {
    const lease = await inDoubt();
    expect(await writeOutside(store.db, lease, 4, resolved(step, false))).toBe(false);
    expect(await headOf(store, lease)).toMatchObject({ seq: 5, status: "waiting", waitingOn: "doubt" });
  });

  test("is one of many that have seen the same", async () => {
    const lease = await inDoubt();
    const written = await Promise.all(
      Array.from({ length: 8 }, () => writeOutside(store.db, lease, 5, resolved(step, true))),
    );
    expect(written.filter(Boolean)).toHaveLength(1);
    expect(await toldOf(store, lease)).toHaveLength(4);
  });

  test.each([
    ["succeeded", "resolution", resolved(step, false)],
    ["cancelled", "command", { kind: "command", command: "pause", by: "ana" }],
  ] as const)("does not write to a run that has %s: a %s", async (ends, _, fact) => {
    const lease = await aRun(store, await aWorker(store));
    await append(store.db, [
      { lease, number: 1, facts: [{ kind: "outcome", status: ends, kept: true }], ends },
    ]);
    expect(await writeOutside(store.db, lease, 3, fact)).toBe(false);
    expect(await toldOf(store, lease)).toEqual(["outcome"]);
  });

  test("leaves a run alone that somebody works on, but for the entry", async () => {
    const lease = await aRun(store, await aWorker(store));
    await writeOutside(store.db, lease, 2, { kind: "command", command: "pause", by: "ana" });
    expect(await headOf(store, lease)).toMatchObject({ status: "running", epoch: 1, seq: 3 });
    const landed = await append(store.db, [{ lease, number: 1, facts: [observed("a#0", 1)] }]);
    expect(landed).toMatchObject([{ after: 3 }]);
  });

  test("has the last word on a run that is parked: what its last owner left behind comes too late", async () => {
    const lease = await inDoubt();
    await writeOutside(store.db, lease, 5, resolved(step, false));
    for (const number of [1, 3]) {
      expect(await append(store.db, [{ lease, number, facts: [observed(step, "sent")] }])).toEqual([
        undefined,
      ]);
    }
    expect((await toldOf(store, lease)).at(-1)).toBe(`resolution ${step}`);
  });

  test("wakes a run that waits: its caller may go on with it", async () => {
    const lease = await inDoubt();
    await writeOutside(store.db, lease, 5, resolved(step, false));
    expect(await headOf(store, lease)).toMatchObject({ status: "waiting", waitingOn: "caller" });
  });

  test("wakes a run that waits: a worker may go on with it", async () => {
    const lease = await inDoubt();
    await store.sql("update holdfast.runs set inline = false where run = $1", [lease.run]);
    await writeOutside(store.db, lease, 5, resolved(step, false));
    expect(await headOf(store, lease)).toMatchObject({ status: "queued", waitingOn: null });
  });
});

describe("a doubt", () => {
  test("is listed with what one needs to decide", async () => {
    const lease = await inDoubt();
    expect(await doubts.list({ runId: lease.runId })).toEqual([
      {
        runId: lease.runId,
        step,
        name: "wire",
        input: 7,
        key: intended(step).key,
        at: expect.any(Date),
        why: "the worker died",
      },
    ]);
    expect((await doubts.list()).map(({ runId }) => runId)).toContain(lease.runId);
  });

  test.each([
    ["happened", { happened: { receipt: 1 } }, { happened: true, by: "ana", value: '{"receipt":1}' }],
    ["did not happen", { didNotHappen: true }, { happened: false, by: "ana" }],
  ] as const)("that is said to have %s is recorded so, and wakes the run", async (_, answer, expected) => {
    const lease = await inDoubt();
    await doubts.resolve(lease.runId, step, answer, ana);
    expect((await entriesOf(store, lease)).at(-1)).toMatchObject({ kind: "resolution", step, ...expected });
    expect(await headOf(store, lease)).toMatchObject({ waitingOn: "caller" });
    expect(await doubts.list({ runId: lease.runId })).toEqual([]);
  });

  test("is resolved by the first of many, and the others are told so", async () => {
    const lease = await inDoubt();
    const answers = [{ happened: 1 }, { didNotHappen: true }, { happened: 2 }, { happened: 3 }] as const;
    const settled = await Promise.allSettled(
      answers.map((answer) => doubts.resolve(lease.runId, step, answer, ana)),
    );
    const lost = settled.filter(({ status }) => status === "rejected") as PromiseRejectedResult[];
    expect(lost).toHaveLength(answers.length - 1);
    expect(lost.every(({ reason }) => HoldfastError.is(reason, "COMMAND_NOT_ALLOWED"))).toBe(true);
    expect((await toldOf(store, lease)).filter((told) => told === `resolution ${step}`)).toHaveLength(1);
  });

  test("is not resolved a second time", async () => {
    const lease = await inDoubt();
    await doubts.resolve(lease.runId, step, { happened: 1 }, ana);
    const again = doubts.resolve(lease.runId, step, { didNotHappen: true }, { by: "ben" });
    await expect(again).rejects.toThrow(/resolved by ana already.*\(COMMAND_NOT_ALLOWED\)/);
  });

  test("of a step that is under way in a live run there is none", async () => {
    const lease = await aRun(store, await aWorker(store));
    await append(store.db, [{ lease, number: 1, facts: [intended(step)] }]);
    expect(await doubts.list({ runId: lease.runId })).toEqual([]);
    await expect(doubts.resolve(lease.runId, step, { happened: 1 }, ana)).rejects.toThrow(
      "(COMMAND_NOT_ALLOWED)",
    );
    expect(await toldOf(store, lease)).toEqual([`intent ${step}`]);
  });

  test("of a step whose owner was taken over is there while the next one is at work", async () => {
    const worker = await aWorker(store);
    const lease = await aRun(store, worker);
    await append(store.db, [{ lease, number: 1, facts: [intended(step)] }]);
    await takeOver(store, lease, worker);
    await doubts.resolve(lease.runId, step, { happened: 1 }, ana);
    expect(await headOf(store, lease)).toMatchObject({ status: "running" });
    expect(replay(await entriesOf(store, lease)).steps.get(step)).toMatchObject({ at: "done" });
  });

  test("of a step that has a result, or may be repeated, or does not exist, there is none", async () => {
    const lease = await aRun(store, await aWorker(store));
    const facts = [intended("a#0"), observed("a#0", 1), intended("b#0", { effect: "idempotent" as const })];
    await append(store.db, [{ lease, number: 1, facts }]);
    await park(store.db, { lease, number: 2 }, 5, { waitingOn: "caller" });
    expect(await doubts.list({ runId: lease.runId })).toEqual([]);
    for (const none of ["a#0", "b#0", "c#0"]) {
      await expect(doubts.resolve(lease.runId, none, { happened: 1 }, ana)).rejects.toThrow(
        "(COMMAND_NOT_ALLOWED)",
      );
    }
  });

  test("of a run that does not exist cannot be resolved", async () => {
    await expect(doubts.resolve(newId(), step, { happened: 1 }, ana)).rejects.toThrow("(RUN_NOT_FOUND)");
  });

  test.each<[string, unknown, unknown]>([
    ["nobody who says so", { happened: 1 }, { by: "" }],
    ["neither answer", {}, ana],
    ["both answers", { happened: 1, didNotHappen: true }, ana],
  ])("is not resolved with %s", async (_, answer, by) => {
    const lease = await inDoubt();
    await expect(doubts.resolve(lease.runId, step, answer as never, by as never)).rejects.toThrow(
      "(INVALID_ARGUMENT)",
    );
  });

  test("is not resolved with a result that cannot be kept", async () => {
    const lease = await inDoubt();
    const resolving = doubts.resolve(lease.runId, step, { happened: () => 1 }, ana);
    await expect(resolving).rejects.toThrow("(NOT_SERIALIZABLE)");
  });
});
