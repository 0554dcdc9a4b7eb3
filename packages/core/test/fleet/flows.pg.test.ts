import { expect, test } from "vitest";
import { type AgentContext, once, receive, step } from "../../src/index.ts";
import { outcomeOf } from "../agent.ts";
import { counter, useHoldfast } from "../opened.ts";
import { eventually, newId } from "../store.ts";

const { open, sql } = useHoldfast();
const count = async (agent: string) =>
  (await sql("select from holdfast.runs where agent = $1", [agent])).length;

test("a child is started once, however often its parent is run again, and its result parks the parent", async () => {
  const holdfast = await open();
  const { calls, does } = counter();
  const child = holdfast.agent("child", (i: number) => once("work", does(`work ${i}`, i * 10)));
  const parent = holdfast.agent("parent", async () => {
    const children = [];
    for (const i of [1, 2, 3]) children.push(await holdfast.start(child, i));
    const results = await Promise.all(children.map((each) => each.result()));
    return await once(
      "sum",
      does(
        "sum",
        results.reduce((sum, each) => sum + each, 0),
      ),
    );
  });
  const run = await holdfast.start(parent, undefined);
  await holdfast.worker({ concurrency: 1 }).start();
  expect(await run.result()).toBe(60);
  expect(calls.sort()).toEqual(["sum", "work 1", "work 2", "work 3"]);
  expect(await count("child")).toBe(3);
  const view = await holdfast.runs.get(run.id);
  expect(view.attempts).toMatchObject({ crashes: 0, retries: 0 });
  expect(view.attempts.resumes).toBeGreaterThan(0);
  const [first] = await sql<{ run_id: string }>(
    "select run_id from holdfast.runs where agent = 'child' limit 1",
  );
  expect((await holdfast.runs.get(first?.run_id ?? "")).parent).toBe(run.id);
});

test("what a child fails with is what its parent catches", async () => {
  const holdfast = await open();
  const child = holdfast.agent("bad child", () => Promise.reject(new RangeError("too far")));
  const parent = holdfast.agent("careful", async () => {
    const run = await holdfast.start(child, undefined);
    return await run.result().catch((error: Error) => `${error.name}: ${error.message}`);
  });
  const run = await holdfast.start(parent, undefined);
  await holdfast.worker().start();
  expect(await run.result()).toBe("RangeError: too far");
});

test("a run that is inline waits for its child as well", async () => {
  const holdfast = await open();
  const child = holdfast.agent("slow child", () => "done");
  const id = newId();
  const work = async () => await (await holdfast.start(child, undefined)).result();
  await expect(holdfast.run(id, work)).rejects.toMatchObject({ details: { waitingOn: "dependency" } });
  await holdfast.worker().start();
  await eventually(async () => (await holdfast.runs.get(id)).waitingOn === "caller");
  expect(await holdfast.run(id, work)).toBe("done");
});

const outputsOf = (_: unknown, { outputs }: AgentContext) => outputs;

test("what a run of a flow returns reaches those that come after it", async () => {
  const holdfast = await open();
  const fetch = holdfast.agent("fetch", (n: number) => n);
  const sum = holdfast.agent("sum", (_: unknown, { outputs }) => Number(outputs.a) + Number(outputs.b));
  const show = holdfast.agent("show", outputsOf);
  await holdfast.worker().start();
  const flow = await holdfast.flow("nightly", [
    { name: "show", agent: show, after: ["sum"] },
    { name: "a", agent: fetch, input: 1 },
    { name: "b", agent: fetch, input: 2 },
    { name: "sum", agent: sum, after: ["a", "b"] },
  ]);
  expect(await flow.result()).toEqual({ a: 1, b: 2, sum: 3, show: { sum: 3 } });
});

test("a branch that fails takes along what needs it, and nothing else", async () => {
  const holdfast = await open();
  const { calls, does } = counter();
  const bad = holdfast.agent("bad", () => Promise.reject(new Error("no")));
  const good = holdfast.agent("good", does("good", "good"));
  const show = holdfast.agent("show", outputsOf);
  const never = holdfast.agent("never", does("never"));
  await holdfast.worker().start();
  const flow = await holdfast.flow("partly", [
    { name: "bad", agent: bad },
    { name: "good", agent: good },
    { name: "needs", agent: never, after: ["bad", "good"] },
    { name: "needs too", agent: never, after: ["needs"] },
    { name: "goes on", agent: show, after: [{ name: "bad", onFailure: "skip" }, "good"] },
  ]);
  expect(await outcomeOf(flow.result())).toBe("no");
  const statuses = await Promise.all(
    Object.entries(flow.runs).map(async ([name, run]) => [name, await run.status()]),
  );
  expect(Object.fromEntries(statuses)).toEqual({
    bad: "failed",
    good: "succeeded",
    needs: "failed",
    "needs too": "failed",
    "goes on": "succeeded",
  });
  expect(await flow.runs["goes on"]?.result()).toEqual({ good: "good" });
  expect(calls).toEqual(["good"]);
  expect((await holdfast.deadLetters.list()).map(({ agent }) => agent)).not.toContain("never");
});

test("a flow that is refused starts nothing; the same key again starts nothing new", async () => {
  const holdfast = await open();
  const one = holdfast.agent("one", (n: number) => n);
  const nodes = [
    { name: "a", agent: one, input: 1 },
    { name: "b", agent: one, input: 2, after: ["a"] },
  ];
  expect(await outcomeOf(holdfast.flow("circle", [...nodes, { name: "c", agent: one, after: ["c"] }]))).toBe(
    "INVALID_ARGUMENT",
  );
  expect(await count("one")).toBe(0);
  const key = newId();
  const [first, second] = await Promise.all([
    holdfast.flow("keyed", nodes, { key }),
    holdfast.flow("keyed", nodes, { key }),
  ]);
  expect(first.runs.b?.id).toBe(second.runs.b?.id);
  expect(await count("one")).toBe(2);
  const other = [{ name: "a", agent: one, input: 7 }];
  expect(await outcomeOf(holdfast.flow("keyed", other, { key }))).toBe("RUN_EXISTS_DIFFERENT");
});

test("a run that comes after others begins when they have ended, also where they had before", async () => {
  const holdfast = await open();
  const one = holdfast.agent("first", (n: number) => n);
  const show = holdfast.agent("last", outputsOf);
  await holdfast.worker().start();
  const early = await holdfast.start(one, 1);
  await early.result();
  const late = await holdfast.start(one, 2);
  const run = await holdfast.start(show, undefined, { after: [early, { run: late, name: "late" }] });
  expect(await run.result()).toEqual({ [early.id]: 1, late: 2 });
  expect(await outcomeOf(holdfast.start(show, undefined, { after: [{ id: "no-such-run" }] }))).toBe(
    "RUN_NOT_FOUND",
  );
});

test("messages are received once, in order, and again the same in a replay", async () => {
  const holdfast = await open();
  const { calls, does } = counter();
  const agent = holdfast.agent("chat", async () => {
    const first = await receive({ wait: true });
    await once("reply", does(`reply to ${JSON.stringify(first)}`));
    const second = await receive({ wait: true });
    return [...first, ...second, ...(await receive())];
  });
  const run = await holdfast.start(agent, undefined);
  await holdfast.worker().start();
  await eventually(async () => (await holdfast.runs.get(run.id)).waitingOn === "input");
  await holdfast.send(run.id, { text: "hello" }, { by: "ana" });
  await eventually(async () => calls.length === 1 && (await run.status()) === "waiting");
  await holdfast.send(run.id, { text: "bye" });
  expect(await run.result()).toEqual([{ text: "hello" }, { text: "bye" }]);
  expect(calls).toEqual(['reply to [{"text":"hello"}]']);
  expect(await outcomeOf(holdfast.send(run.id, "late"))).toBe("COMMAND_NOT_ALLOWED");
});

test("a schedule starts a run once a time, whoever sees that it has come", async () => {
  const [holdfast, other] = [await open(), await open()];
  for (const each of [holdfast, other]) each.agent("unrelated", () => {});
  const agent = holdfast.agent("report", (title: string) => step("write", () => title));
  await holdfast.schedule("nightly report", {
    cron: "0 3 * * *",
    timezone: "Europe/Berlin",
    agent,
    input: "sales",
  });
  await sql("update holdfast.schedules set next_at = now() - interval '1 second'");
  await Promise.all([holdfast.worker().start(), other.worker().start()]);
  await eventually(async () => (await count("report")) > 0);
  const [run] = await holdfast.runs.list({ agent: "report" });
  await eventually(async () => (await holdfast.runs.get(run?.id ?? "")).status === "succeeded");
  expect(await holdfast.runs.get(run?.id ?? "")).toMatchObject({
    value: "sales",
    tags: ["schedule:nightly report"],
  });
  expect(await sql("select from holdfast.schedules where next_at > now()")).toHaveLength(1);
  expect(await count("report")).toBe(1);
  expect(await holdfast.unschedule("nightly report")).toBe(true);
  expect(await holdfast.unschedule("nightly report")).toBe(false);
});

test("a schedule that cannot be started stops no other, nor the claiming of runs, and the log says so once", async () => {
  const logged: [object, string][] = [];
  const log = { debug: () => {}, info: () => {}, error: (...said: [object, string]) => logged.push(said) };
  const holdfast = await open({ log });
  const agent = holdfast.agent("daily", (v: number) => v);
  for (const name of ["bad", "good"]) await holdfast.schedule(name, { cron: "0 3 * * *", agent, input: 1 });
  await sql(`update holdfast.schedules set next_at = now() - interval '1 second',
                    cron = case name when 'bad' then 'none' else cron end`);
  const run = await holdfast.start(agent, 2);
  await holdfast.worker().start();
  expect(await run.result()).toBe(2);
  const started = await holdfast.runs.list({ tag: "schedule:good" });
  expect(started).toHaveLength(1);
  await eventually(async () => (await holdfast.runs.get(started[0]?.id ?? "")).status === "succeeded");
  expect(logged).toEqual([[{ err: expect.any(Error) }, "starting schedules failed"]]);
  await holdfast.unschedule("bad");
});

test("a time that was started with another input, before a deploy, is not started again", async () => {
  const holdfast = await open();
  const agent = holdfast.agent("weekly", (v: number) => v);
  const name = "changed by a deploy";
  await holdfast.schedule(name, { cron: "0 3 * * *", agent, input: 1 });
  const [due] = await sql<{ at: Date }>(
    "update holdfast.schedules set next_at = date_trunc('second', now()) where name = $1 returning next_at as at",
    [name],
  );
  // As a worker leaves it that dies before it could say so.
  const run = await holdfast.start(agent, 1, { key: `${name}@${due?.at.toISOString()}` });
  await holdfast.schedule(name, { cron: "0 3 * * *", agent, input: 2 });
  await holdfast.worker().start();
  expect(await run.result()).toBe(1);
  await eventually(
    async () =>
      (await sql("select from holdfast.schedules where name = $1 and next_at > now()", [name])).length > 0,
  );
  expect(await count("weekly")).toBe(1);
});

test.each([
  ["a pattern that is none", { cron: "61 * * * *" }],
  ["a time zone that is none", { cron: "0 3 * * *", timezone: "Nowhere/At_All" }],
  ["another word for what was missed", { cron: "0 3 * * *", missed: "some" as never }],
])("a schedule with %s is refused", async (_, options) => {
  const holdfast = await open();
  const agent = holdfast.agent("report", () => {});
  expect(await outcomeOf(holdfast.schedule("bad", { agent, ...options }))).toBe("INVALID_ARGUMENT");
});
