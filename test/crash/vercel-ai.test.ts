import { openHoldfast } from "@holdfast/core";
import { afterAll, beforeAll, describe, expect, type TestContext, test } from "vitest";
import { ScriptedModel, type Turn } from "../../packages/adapter-vercel-ai/test/scripted-model.ts";
import { freshDatabase } from "../fresh-database.ts";
import { Child } from "../process.ts";
import type { Task } from "./agent.ts";
import { Downstream } from "./downstream.ts";

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
const scripts = {
  inTurn: [says(1), says(2), says(3), { text: "All three steps are done." }],
  twoAtOnce: [says(1, 2), says(3), { text: "All three steps are done." }],
} satisfies Record<string, Turn[]>;

const done = (tool: string) => ({ done: tool });
const allDone = ["step1", "step2", "step3"].map(done);

/** A run that no other test has: its script, its task, and what was seen of it from outside. */
function given(
  { onTestFinished }: TestContext,
  script: readonly Turn[],
  { major, shape, ...rest }: Pick<Task, "major" | "shape"> & Partial<Task>,
) {
  const runId = `run-${crypto.randomUUID()}`;
  const modelId = `model-${runId}`;
  model.script(modelId, ...script);
  const task: Task = {
    database: database.url,
    runId,
    major,
    shape,
    modelUrl: model.url,
    modelId,
    downstreamUrl: downstream.url,
    ...rest,
  };
  return {
    runId,
    script,
    start: (program = "crash/vercel-ai-worker.ts") => {
      const child = new Child(program, [JSON.stringify(task)]);
      onTestFinished(() => child.kill());
      return child;
    },
    /** The turns that the model was asked for: each is paid. */
    asked: () => model.asked(modelId).map(({ turn }) => turn),
    calls: () => downstream.calls(runId),
    tools: () => downstream.calls(runId).map(({ tool }) => tool),
    keysOf: (tool: string) =>
      downstream
        .calls(runId)
        .filter((call) => call.tool === tool)
        .map(({ key }) => key),
  };
}

/** Starts a process, and kills it when step2 has had its effect and all else is on record that can be. */
async function killInStep2(
  { runId, start }: ReturnType<typeof given>,
  { durable = true } = {},
): Promise<void> {
  const { arrived } = downstream.withhold(runId, "step2");
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

const majors = [5, 6, 7] as const;
const shapes = [
  { shape: "generateText", at: "in turn", script: scripts.inTurn },
  { shape: "streamText", at: "in turn", script: scripts.inTurn },
  { shape: "generateText", at: "two at once", script: scripts.twoAtOnce },
  { shape: "streamText", at: "two at once", script: scripts.twoAtOnce },
  { shape: "agent.generate", at: "in turn", script: scripts.inTurn },
  { shape: "agent.stream", at: "in turn", script: scripts.inTurn },
] as const;

describe.concurrent.each(majors)("ai %i", (major) => {
  test.for(shapes)(
    "$shape with its tools called $at, killed inside a tool, goes on where it was: nothing recorded is done again",
    async ({ shape, script }, context) => {
      const run = given(context, script, { major, shape, step2: "idempotent" });
      await killInStep2(run);
      const before = script === scripts.inTurn ? [0, 1] : [0];
      expect(run.asked()).toEqual(before);
      expect(run.tools().toSorted()).toEqual(["step1", "step2"]);

      const { value } = await run.start().says("value");
      expect(value).toEqual({
        text: "All three steps are done.",
        outputs: allDone,
        totalTokens: 120 * script.length,
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

      expect(await run.start().says("value")).toEqual({ at: "value", value });
      expect(run.asked()).toHaveLength(script.length);
      expect(run.calls()).toHaveLength(4);
    },
  );

  test.for([
    { shape: "generateText", at: "in turn", script: scripts.inTurn },
    { shape: "streamText", at: "two at once", script: scripts.twoAtOnce },
  ] as const)(
    "$shape with its tools called $at, killed inside a tool that is once, waits until somebody says what became of it",
    async ({ shape, script }, context) => {
      const run = given(context, script, { major, shape, step2: "once" });
      await killInStep2(run);
      const [asked, calls] = [run.asked(), run.calls()];

      const { code, details } = await run.start().says("refused");
      const doubts = await hf.doubts.list({ runId: run.runId });
      expect(doubts).toEqual([
        expect.objectContaining({ name: "step2", input: { n: 2 }, key: run.keysOf("step2")[0] }),
      ]);
      const step = doubts[0]?.step ?? "";
      expect(code).toBe("RUN_WAITING");
      expect(details).toMatchObject({ waitingOn: "doubt", doubts: [step] });
      expect(await hf.runs.get(run.runId)).toMatchObject({ status: "waiting", waitingOn: "doubt" });
      expect([run.asked(), run.calls()]).toEqual([asked, calls]);

      const happened = { done: "step2, says Ana" };
      await hf.doubts.resolve(run.runId, step, { happened }, { by: "ana" });
      const { value } = await run.start().says("value");
      expect(value).toEqual({
        text: "All three steps are done.",
        outputs: [done("step1"), happened, done("step3")],
        totalTokens: 120 * script.length,
      });
      expect(run.asked()).toEqual(turnsOf(script));
      expect(run.tools().toSorted()).toEqual(["step1", "step2", "step3"]);
    },
  );

  test("without Holdfast, the same agent is paid for again and repeats what it has done", async (context) => {
    const run = given(context, scripts.inTurn, { major, shape: "generateText", unprotected: true });
    await killInStep2(run, { durable: false });
    await run.start().says("value");
    expect(run.asked()).toEqual([0, 1, 0, 1, 2, 3]);
    expect(run.tools()).toEqual(["step1", "step2", "step1", "step2", "step3"]);
    expect(new Set(run.calls().map(({ key }) => key)).size).toBe(5);
  });
});

test("a client that goes away after the first words does not stop the run, and a later one reads it to its end", async (context) => {
  const script = [{ text: "Let me look. ", ...says(1) }, says(2), { text: "It is done." }];
  const run = given(context, script, { major: 7, shape: "streamText" });
  const { arrived, release } = downstream.withhold(run.runId, "step1");
  const server = run.start("crash/chat-server.ts");
  const { url } = (await server.says("listening")) as unknown as { url: string };

  const client = new AbortController();
  const response = await fetch(url, { signal: client.signal });
  const first = await response.body?.getReader().read();
  expect(new TextDecoder().decode(first?.value)).toMatch(/^Let/);
  await arrived;
  client.abort();
  await server.says("client gone");
  release();
  for await (const _ of hf.tail(run.runId));

  expect(await hf.runs.get(run.runId)).toMatchObject({ status: "succeeded", epoch: 1 });
  expect(run.tools()).toEqual(["step1", "step2"]);
  expect(await (await fetch(url)).text()).toBe("Let me look. It is done.");
  expect(run.asked()).toEqual(turnsOf(script));
  expect(run.calls()).toHaveLength(2);
});
