import { expect, test } from "vitest";
import { Appender } from "../src/appender.ts";
import type { Fact } from "../src/ledger/entry.ts";
import { replay } from "../src/ledger/replay.ts";
import { newQuestion } from "../src/question.ts";
import { RunWriter } from "../src/run-writer.ts";
import { doubted, intended, observed, resolved } from "../src/testing/given.ts";
import { aRun, aWorker, entriesOf, eventually, toldOf, useStore } from "./store.ts";

const store = useStore();

const questioned = (step: string) =>
  newQuestion({
    step,
    asks: "approval",
    call: "tool",
    name: "pay",
    digest: "d",
    shown: "s",
    text: "May pay be called?",
  });

/** A run with an open call, and its owner's writer. */
async function anOpenCall() {
  const lease = await aRun(store, await aWorker(store));
  const run = replay(await entriesOf(store, lease));
  const means = { db: store.db, appender: new Appender(store.db) };
  const writer = new RunWriter(means, lease, run, { outside: () => {}, error: () => {} });
  await writer.intend(intended("wire#0"));
  return { lease, writer };
}

const what: [string, Fact][] = [
  ["doubt", doubted("wire#0")],
  ["outcome", observed("wire#0", 1)],
  ["resolution", resolved("wire#0", false)],
];

test.each(what)("a call is not doubted after its %s in the same append", async (_, fact) => {
  const { lease, writer } = await anOpenCall();
  writer.say(fact, doubted("wire#0"));
  await writer.flush();
  expect(await toldOf(store, lease)).toEqual(["intent wire#0", `${fact.kind} wire#0`]);
});

test.each(what)("a call is not doubted while its %s is on its way to the ledger", async (_, fact) => {
  const { lease, writer } = await anOpenCall();
  const lock = await store.session();
  await lock.query("begin");
  await lock.query("select from holdfast.runs where run = $1 for no key update", [lease.run]);
  writer.say(fact);
  const first = writer.flush();
  await eventually(async () => (await store.sql("select from pg_locks where not granted")).length > 0);
  writer.say(doubted("wire#0"));
  await lock.query("commit");
  await Promise.all([first, writer.flush()]);
  expect(await toldOf(store, lease)).toEqual(["intent wire#0", `${fact.kind} wire#0`]);
});

test("a call that is intended again once it was resolved is doubted again", async () => {
  const { lease, writer } = await anOpenCall();
  writer.say(doubted("wire#0"), resolved("wire#0", false), intended("wire#0"));
  await writer.flush();
  writer.say(doubted("wire#0"));
  await writer.flush();
  expect((await toldOf(store, lease)).filter((line) => line === "doubt wire#0")).toHaveLength(2);
});

test("what is said of an open call is refused for good where its run has ended", async () => {
  const { lease, writer } = await anOpenCall();
  await store.sql("update holdfast.runs set status = 'cancelled', leased_by = null where run = $1", [
    lease.run,
  ]);
  await expect(writer.sayWhile(() => true, doubted("wire#0"))).rejects.toThrow("(CANCELLED)");
});

test("neither a question nor what is counted is let in by a run that has parked, and that is said at once", async () => {
  const window = { rule: "pay", under: "", per: "hour", atMost: 1 };
  const said = [
    (writer: RunWriter) => writer.ask([questioned("pay#0")]),
    (writer: RunWriter) => writer.sayWithin(intended("pay#0"), [window]),
  ];
  for (const says of said) {
    const { writer } = await anOpenCall();
    expect(await writer.park({ waitingOn: "approval" })).toBe(true);
    await expect(says(writer)).rejects.toThrow("(FENCED)");
  }
});
