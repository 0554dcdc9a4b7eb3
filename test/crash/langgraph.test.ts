import { openHoldfast } from "@holdfast/core";
import { afterAll, beforeAll, describe, expect, type TestContext, test } from "vitest";
import { ScriptedModel, type Turn } from "../../packages/adapter-vercel-ai/test/scripted-model.ts";
import { freshDatabase } from "../fresh-database.ts";
import { Child } from "../process.ts";
import { Downstream } from "./downstream.ts";
import type { Task } from "./langgraph-worker.ts";

const model = new ScriptedModel();
const downstream = new Downstream();
let database: Awaited<ReturnType<typeof freshDatabase>>;
let hf: Awaited<ReturnType<typeof openHoldfast>>;

beforeAll(async () => {
  await Promise.all([model.listen(), downstream.listen()]);
  database = await freshDatabase();
  hf = await openHoldfast({ database: database.url });
});
afterAll(async () => {
  await hf.close();
  model.close();
  downstream.close();
  await database.drop();
});

const says = (...steps: number[]): Turn => ({
  calls: steps.map((n) => ({ name: `step${n}`, input: { n } })),
});
const end = "All three steps are done.";
const scripts = {
  inTurn: [says(1), says(2), says(3), { text: end }],
  twoAtOnce: [says(1, 2), says(3), { text: end }],
} satisfies Record<string, Turn[]>;

/** A thread that no other test has: its script, its task, and what was seen of it from outside. */
function given(
  { onTestFinished }: TestContext,
  script: readonly Turn[],
  rest: Pick<Task, "idiom"> & Partial<Task>,
) {
  const thread = `thread-${crypto.randomUUID()}`;
  const modelId = `model-${thread}`;
  model.script(modelId, ...script);
  model.script(`${modelId}-outer`, { calls: [{ name: "delegate", input: {} }] }, { text: "Told." });
  const task: Task = {
    database: database.url,
    thread,
    modelUrl: model.url,
    modelId,
    downstreamUrl: downstream.url,
    ...rest,
  };
  return {
    thread,
    runId: `${thread}#1`,
    start: (more: Partial<Task> = {}) => {
      const child = new Child("crash/langgraph-worker.ts", [JSON.stringify({ ...task, ...more })]);
      onTestFinished(() => child.kill());
      return child;
    },
    /** The turns that the model was asked for: each is paid. */
    asked: (id = modelId) => model.asked(id).map(({ turn }) => turn),
    askedOuter: () => model.asked(`${modelId}-outer`).map(({ turn }) => turn),
    calls: () => downstream.calls(thread),
    tools: () => downstream.calls(thread).map(({ tool }) => tool),
    keysOf: (tool: string) =>
      downstream
        .calls(thread)
        .filter((call) => call.tool === tool)
        .map(({ key }) => key),
  };
}

/** Starts a process, and kills it when step2 has had its effect and all else is on record that can be. */
async function killInStep2(
  { thread, runId, start }: ReturnType<typeof given>,
  durable = true,
): Promise<void> {
  const { arrived } = downstream.withhold(thread, "step2");
  const first = start();
  await Promise.race([arrived, first.says("value")]);
  if (durable) await observed(runId, "step1");
  await first.kill("SIGKILL");
  expect(await first.exited()).toMatchObject({ signal: "SIGKILL" });
}

async function observed(runId: string, tool: string): Promise<void> {
  for await (const entry of hf.tail(runId)) if (entry.kind === "observation" && entry.name === tool) return;
}

const turnsOf = (script: readonly Turn[]) => script.map((_, turn) => turn);

const shapes = [
  { does: "invoked", at: "in turn", script: scripts.inTurn, more: {} },
  { does: "streamed", at: "in turn", script: scripts.inTurn, more: { streams: true } },
  { does: "invoked", at: "two at once", script: scripts.twoAtOnce, more: {} },
  { does: "streamed", at: "two at once", script: scripts.twoAtOnce, more: { streams: true } },
  {
    does: 'invoked with the durability "exit"',
    at: "in turn",
    script: scripts.inTurn,
    more: { durability: "exit" },
  },
  {
    does: 'invoked with the durability "exit"',
    at: "two at once",
    script: scripts.twoAtOnce,
    more: { durability: "exit" },
  },
] as const;

describe.concurrent.each(["StateGraph", "createAgent", "createReactAgent"])("%s", (idiom) => {
  test.for(shapes)(
    "$does, its tools called $at, killed inside a tool, goes on where it was: nothing recorded is done again",
    async ({ script, more }, context) => {
      const run = given(context, script, { idiom, step2: "idempotent", ...more });
      await killInStep2(run);
      expect(run.asked()).toEqual(script === scripts.inTurn ? [0, 1] : [0]);
      expect(run.tools().toSorted()).toEqual(["step1", "step2"]);

      expect(await run.start({ again: true }).says("value")).toMatchObject({
        value: expect.stringContaining(end),
      });
      expect(run.asked()).toEqual(turnsOf(script));
      expect(run.tools().slice(2)).toEqual(["step2", "step3"]);
      expect(new Set(run.keysOf("step2")).size).toBe(1);
      expect(new Set(run.calls().map(({ key }) => key)).size).toBe(3);
      expect(await hf.runs.get(run.runId)).toMatchObject({
        status: "succeeded",
        epoch: 2,
        attempts: { crashes: 1 },
      });
      expect((await hf.entries(run.runId)).filter(({ kind }) => kind === "note")).toEqual([]);
    },
  );

  test("killed inside a tool of an agent that a tool calls, goes on there", async (context) => {
    const run = given(context, scripts.inTurn, { idiom, step2: "idempotent", isSubAgent: true });
    await killInStep2(run);
    expect(await run.start({ again: true }).says("value")).toMatchObject({ value: "Told." });
    expect(run.asked()).toEqual(turnsOf(scripts.inTurn));
    expect(run.askedOuter()).toEqual([0, 1]);
    expect(run.tools()).toEqual(["step1", "step2", "step2", "step3"]);
  });

  test("killed inside a tool that is once, waits until somebody says what became of it", async (context) => {
    const run = given(context, scripts.inTurn, { idiom, step2: "once" });
    await killInStep2(run);
    const [asked, calls] = [run.asked(), run.calls()];

    const { code, details } = await run.start({ again: true }).says("refused");
    const [doubt] = await hf.doubts.list({ runId: run.runId });
    expect(doubt).toMatchObject({ name: "step2", input: { n: 2 }, key: run.keysOf("step2")[0] });
    expect(code).toBe("RUN_WAITING");
    expect(details).toMatchObject({ waitingOn: "doubt", doubts: [doubt?.step] });
    expect([run.asked(), run.calls()]).toEqual([asked, calls]);

    const happened = JSON.stringify({ done: "step2, says Ana" });
    await hf.doubts.resolve(run.runId, doubt?.step ?? "", { happened }, { by: "ana" });
    expect(await run.start({ again: true }).says("value")).toMatchObject({ value: end });
    expect(run.asked()).toEqual(turnsOf(scripts.inTurn));
    expect(run.tools()).toEqual(["step1", "step2", "step3"]);
  });
});

test("on LangGraph's own Postgres checkpointer, at its safest, the same agent repeats the tool that it had done", async (context) => {
  const run = given(context, scripts.twoAtOnce, {
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
