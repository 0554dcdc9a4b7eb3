import { describe, expect, type TestContext, test } from "vitest";
import type { Turn } from "../../packages/adapter-vercel-ai/test/scripted-model.ts";
import type { Task } from "./langgraph-worker.ts";
import { inTurn, scene, startWorker, text, turnsOf, twoAtOnce } from "./scene.ts";

const { model, downstream, hf, places, asked, seen, killInStep2 } = scene();

/** A thread that no other test has: its script, its task, and what was seen of it from outside. */
function given(context: TestContext, script: readonly Turn[], rest: Pick<Task, "idiom"> & Partial<Task>) {
  const thread = `thread-${crypto.randomUUID()}`;
  const modelId = `model-${thread}`;
  model.script(modelId, ...script);
  model.script(`${modelId}-outer`, { calls: [{ name: "delegate", input: {} }] }, { text: "Told." });
  const task: Task = { ...places(), thread, modelId, ...rest };
  const start = (more: Partial<Task> = {}) =>
    startWorker(context, "crash/langgraph-worker.ts", { ...task, ...more });
  const runId = `${thread}#1`;
  return {
    thread,
    runId,
    start,
    asked: () => asked(modelId),
    askedOuter: () => asked(`${modelId}-outer`),
    ...seen(thread),
    killInStep2: () => killInStep2(start, thread, runId),
  };
}

const shapes = [
  { does: "invoked", at: "in turn", script: inTurn, more: {} },
  { does: "streamed", at: "in turn", script: inTurn, more: { streams: true } },
  { does: "invoked", at: "two at once", script: twoAtOnce, more: {} },
  { does: "streamed", at: "two at once", script: twoAtOnce, more: { streams: true } },
  {
    does: 'invoked with the durability "exit"',
    at: "in turn",
    script: inTurn,
    more: { durability: "exit" },
  },
  {
    does: 'invoked with the durability "exit"',
    at: "two at once",
    script: twoAtOnce,
    more: { durability: "exit" },
  },
] as const;

describe.concurrent.each(["StateGraph", "createAgent", "createReactAgent"])("%s", (idiom) => {
  test.for(shapes)(
    "$does, its tools called $at, killed inside a tool, goes on where it was: nothing recorded is done again",
    async ({ script, more }, context) => {
      const run = given(context, script, { idiom, step2: "idempotent", ...more });
      await run.killInStep2();
      expect(run.asked()).toEqual(script === inTurn ? [0, 1] : [0]);
      expect(run.tools().toSorted()).toEqual(["step1", "step2"]);

      expect(await run.start({ again: true }).says("value")).toMatchObject({
        value: expect.stringContaining(text),
      });
      expect(run.asked()).toEqual(turnsOf(script));
      expect(run.tools().slice(2)).toEqual(["step2", "step3"]);
      expect(new Set(run.keysOf("step2")).size).toBe(1);
      expect(new Set(run.calls().map(({ key }) => key)).size).toBe(3);
      expect(await hf().runs.get(run.runId)).toMatchObject({
        status: "succeeded",
        epoch: 2,
        attempts: { crashes: 1 },
      });
      expect((await hf().entries(run.runId)).filter(({ kind }) => kind === "note")).toEqual([]);
    },
  );

  test("killed inside a tool of an agent that a tool calls, goes on there", async (context) => {
    const run = given(context, inTurn, { idiom, step2: "idempotent", isSubAgent: true });
    await run.killInStep2();
    expect(await run.start({ again: true }).says("value")).toMatchObject({ value: "Told." });
    expect(run.asked()).toEqual(turnsOf(inTurn));
    expect(run.askedOuter()).toEqual([0, 1]);
    expect(run.tools()).toEqual(["step1", "step2", "step2", "step3"]);
  });

  test("killed inside a tool that is once, waits until somebody says what became of it", async (context) => {
    const run = given(context, inTurn, { idiom, step2: "once" });
    await run.killInStep2();
    const [asked, calls] = [run.asked(), run.calls()];

    const { code, details } = await run.start({ again: true }).says("refused");
    const [doubt] = await hf().doubts.list({ runId: run.runId });
    expect(doubt).toMatchObject({ name: "step2", input: { n: 2 }, key: run.keysOf("step2")[0] });
    expect(code).toBe("RUN_WAITING");
    expect(details).toMatchObject({ waitingOn: "doubt", doubts: [doubt?.step] });
    expect([run.asked(), run.calls()]).toEqual([asked, calls]);

    const happened = JSON.stringify({ done: "step2, says Ana" });
    await hf().doubts.resolve(run.runId, doubt?.step ?? "", { happened }, { by: "ana" });
    expect(await run.start({ again: true }).says("value")).toMatchObject({ value: text });
    expect(run.asked()).toEqual(turnsOf(inTurn));
    expect(run.tools()).toEqual(["step1", "step2", "step3"]);
  });
});

test("on LangGraph's own Postgres checkpointer, at its safest, the same agent repeats the tool that it had done", async (context) => {
  const run = given(context, twoAtOnce, {
    idiom: "StateGraph",
    unprotected: true,
    durability: "sync",
  });
  const { arrived } = downstream.withhold(run.thread, "step2");
  const first = run.start();
  await arrived;
  await expect.poll(() => run.tools().toSorted()).toEqual(["step1", "step2"]);
  await first.kill("SIGKILL");
  await run.start({ again: true }).says("value");
  expect(run.tools().toSorted()).toEqual(["step1", "step1", "step2", "step2", "step3"]);
  expect(new Set(run.calls().map(({ key }) => key)).size).toBe(5);
});
