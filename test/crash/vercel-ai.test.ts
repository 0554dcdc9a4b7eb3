import { describe, expect, type TestContext, test } from "vitest";
import type { Turn } from "../../packages/adapter-vercel-ai/test/scripted-model.ts";
import type { Task } from "./agent.ts";
import { inTurn, says, scene, startWorker, text, turnsOf, twoAtOnce } from "./scene.ts";

const { model, downstream, hf, places, asked, seen, killInStep2 } = scene();

const done = (tool: string) => ({ done: tool });
const allDone = ["step1", "step2", "step3"].map(done);

/** A run that no other test has: its script, its task, and what was seen of it from outside. */
function given(
  context: TestContext,
  script: readonly Turn[],
  rest: Pick<Task, "major" | "shape"> & Partial<Task>,
) {
  const runId = `run-${crypto.randomUUID()}`;
  const modelId = `model-${runId}`;
  model.script(modelId, ...script);
  const task: Task = { ...places(), runId, modelId, ...rest };
  const start = (program = "crash/vercel-ai-worker.ts") => startWorker(context, program, task);
  return {
    runId,
    start,
    asked: () => asked(modelId),
    ...seen(runId),
    killInStep2: () => killInStep2(start, runId, rest.unprotected ? undefined : runId),
  };
}

const majors = [5, 6, 7] as const;
const shapes = [
  { shape: "generateText", at: "in turn", script: inTurn },
  { shape: "streamText", at: "in turn", script: inTurn },
  { shape: "generateText", at: "two at once", script: twoAtOnce },
  { shape: "streamText", at: "two at once", script: twoAtOnce },
  { shape: "agent.generate", at: "in turn", script: inTurn },
  { shape: "agent.stream", at: "in turn", script: inTurn },
] as const;

describe.concurrent.each(majors)("ai %i", (major) => {
  test.for(shapes)(
    "$shape with its tools called $at, killed inside a tool, goes on where it was: nothing recorded is done again",
    async ({ shape, script }, context) => {
      const run = given(context, script, { major, shape, step2: "idempotent" });
      await run.killInStep2();
      const before = script === inTurn ? [0, 1] : [0];
      expect(run.asked()).toEqual(before);
      expect(run.tools().toSorted()).toEqual(["step1", "step2"]);

      const { value } = await run.start().says("value");
      expect(value).toEqual({
        text,
        outputs: allDone,
        totalTokens: 120 * script.length,
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

      expect(await run.start().says("value")).toEqual({ at: "value", value });
      expect(run.asked()).toHaveLength(script.length);
      expect(run.calls()).toHaveLength(4);
    },
  );

  test.for([
    { shape: "generateText", at: "in turn", script: inTurn },
    { shape: "streamText", at: "two at once", script: twoAtOnce },
  ] as const)(
    "$shape with its tools called $at, killed inside a tool that is once, waits until somebody says what became of it",
    async ({ shape, script }, context) => {
      const run = given(context, script, { major, shape, step2: "once" });
      await run.killInStep2();
      const [asked, calls] = [run.asked(), run.calls()];

      const { code, details } = await run.start().says("refused");
      const doubts = await hf().doubts.list({ runId: run.runId });
      expect(doubts).toEqual([
        expect.objectContaining({ name: "step2", input: { n: 2 }, key: run.keysOf("step2")[0] }),
      ]);
      const step = doubts[0]?.step ?? "";
      expect(code).toBe("RUN_WAITING");
      expect(details).toMatchObject({ waitingOn: "doubt", doubts: [step] });
      expect(await hf().runs.get(run.runId)).toMatchObject({ status: "waiting", waitingOn: "doubt" });
      expect([run.asked(), run.calls()]).toEqual([asked, calls]);

      const happened = { done: "step2, says Ana" };
      await hf().doubts.resolve(run.runId, step, { happened }, { by: "ana" });
      const { value } = await run.start().says("value");
      expect(value).toEqual({
        text,
        outputs: [done("step1"), happened, done("step3")],
        totalTokens: 120 * script.length,
      });
      expect(run.asked()).toEqual(turnsOf(script));
      expect(run.tools().toSorted()).toEqual(["step1", "step2", "step3"]);
    },
  );

  test("without Holdfast, the same agent is paid for again and repeats what it has done", async (context) => {
    const run = given(context, inTurn, { major, shape: "generateText", unprotected: true });
    await run.killInStep2();
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
  for await (const _ of hf().tail(run.runId));

  expect(await hf().runs.get(run.runId)).toMatchObject({ status: "succeeded", epoch: 1 });
  expect(run.tools()).toEqual(["step1", "step2"]);
  expect(await (await fetch(url)).text()).toBe("Let me look. It is done.");
  expect(run.asked()).toEqual(turnsOf(script));
  expect(run.calls()).toHaveLength(2);
});
