import { describe, expect, type TestContext, test } from "vitest";
import type { Turn } from "../../packages/adapter-vercel-ai/test/scripted-model.ts";
import type { Task } from "./openai-agents-worker.ts";
import { inTurn, scene, startWorker, text, turnsOf, twoAtOnce } from "./scene.ts";

const { model, hf, places, asked, seen, killInStep2 } = scene();

const afterHandoff: readonly Turn[] = [{ calls: [{ name: "transfer_to_Worker", input: {} }] }, ...inTurn];
const toInner: Turn[] = [{ calls: [{ name: "ask_inner", input: { input: "Do the steps." } }] }, { text }];

interface Shape {
  readonly shape: Task["shape"];
  readonly how: string;
  readonly script: readonly Turn[];
  /** What the inner agent's model says. */
  readonly inner?: readonly Turn[];
  /** Turns that are on record when the process is killed, of both models. */
  readonly recorded: number;
}

const shapes: readonly Shape[] = [
  { shape: "run", how: "whole", script: inTurn, recorded: 2 },
  { shape: "stream", how: "streaming", script: inTurn, recorded: 2 },
  { shape: "run", how: "whole, with two tools at once", script: twoAtOnce, recorded: 1 },
  { shape: "stream", how: "streaming, with two tools at once", script: twoAtOnce, recorded: 1 },
  { shape: "sub-agent", how: "in a sub-agent", script: toInner, inner: inTurn, recorded: 3 },
  {
    shape: "sub-agent stream",
    how: "in a sub-agent, streaming",
    script: toInner,
    inner: inTurn,
    recorded: 3,
  },
  { shape: "handoff", how: "after a handoff", script: afterHandoff, recorded: 3 },
  { shape: "handoff stream", how: "after a handoff, streaming", script: afterHandoff, recorded: 3 },
];

/** A run that no other test has: its scripts, its task, and what was seen of it from outside. */
function given(
  context: TestContext,
  { shape, script, inner = [] }: Shape,
  rest: Pick<Task, "version" | "step2"> & Partial<Task>,
) {
  const runId = `run-${crypto.randomUUID()}`;
  const modelId = `model-${runId}`;
  model.script(modelId, ...script);
  model.script(`${modelId}-inner`, ...inner);
  const task: Task = { ...places(), runId, shape, modelId, ...rest };
  const start = () => startWorker(context, "crash/openai-agents-worker.ts", task);
  const { tools, calls } = seen(runId);
  return {
    runId,
    start,
    asked: () => [asked(modelId), asked(`${modelId}-inner`)],
    tools,
    keys: () => calls().map(({ tool, key }) => `${tool} ${key}`),
    killInStep2: () => killInStep2(start, runId, rest.unprotected ? undefined : runId),
  };
}

describe.concurrent.each(["oldest", "newest"] as const)("the %s SDK", (version) => {
  test.for(shapes)(
    "killed inside the second of three tools, $how, an agent goes on where it was: nothing recorded is done again",
    async (shape, context) => {
      const run = given(context, shape, { version, step2: "idempotent" });
      await run.killInStep2();
      expect(run.asked().flat()).toHaveLength(shape.recorded);
      expect(run.tools().toSorted()).toEqual(["step1", "step2"]);

      const { value } = await run.start().says("value");
      const turns = shape.script.length + (shape.inner?.length ?? 0);
      const by = shape.inner ? "Outer" : "Worker";
      expect(value).toEqual({ text, by, totalTokens: 120 * turns });
      expect(run.asked()).toEqual([turnsOf(shape.script), turnsOf(shape.inner)]);
      expect(run.tools().slice(2)).toEqual(["step2", "step3"]);
      expect(new Set(run.keys()).size).toBe(3);
      expect(await hf().runs.get(run.runId)).toMatchObject({
        status: "succeeded",
        epoch: 2,
        attempts: { crashes: 1 },
      });
      expect((await hf().entries(run.runId)).filter(({ kind }) => kind === "note")).toEqual([]);
    },
  );

  test.for(shapes.filter(({ how }) => ["whole", "in a sub-agent, streaming"].includes(how)))(
    "killed inside a tool that is once, $how, an agent waits until somebody says what became of it",
    async (shape, context) => {
      const run = given(context, shape, { version, step2: "once" });
      await run.killInStep2();
      const before = [run.asked(), run.tools()];
      const { code, details } = await run.start().says("refused");
      const [doubt] = await hf().doubts.list({ runId: run.runId });
      expect(doubt).toMatchObject({ name: "step2", input: { n: 2 } });
      expect(code).toBe("RUN_WAITING");
      expect(details).toMatchObject({ waitingOn: "doubt", doubts: [doubt?.step] });
      expect([run.asked(), run.tools()]).toEqual(before);

      await hf().doubts.resolve(run.runId, doubt?.step ?? "", { happened: { done: "step2" } }, { by: "ana" });
      expect(await run.start().says("value")).toMatchObject({ value: { text } });
      expect(run.tools()).toEqual(["step1", "step2", "step3"]);
    },
  );

  test("without Holdfast, the same agent is paid for again and repeats what it has done", async (context) => {
    const [shape] = shapes as [Shape];
    const run = given(context, shape, { version, step2: "once", unprotected: true });
    await run.killInStep2();
    await run.start().says("value");
    expect(run.asked()[0]).toEqual([0, 1, 0, 1, 2, 3]);
    expect(run.tools()).toEqual(["step1", "step2", "step1", "step2", "step3"]);
  });
});
