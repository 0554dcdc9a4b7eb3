import { type Holdfast, openHoldfast } from "@holdfast/core";
import { afterAll, beforeAll, expect, type TestContext } from "vitest";
import { ScriptedModel, type Turn } from "../../packages/adapter-vercel-ai/test/scripted-model.ts";
import { freshDatabase } from "../fresh-database.ts";
import { Child } from "../process.ts";
import { Downstream } from "./downstream.ts";

/** What lives on when a worker is killed, for the tests of one file: the database, the models, and what tools reach. */
export function scene() {
  const model = new ScriptedModel();
  const downstream = new Downstream();
  let database: Awaited<ReturnType<typeof freshDatabase>>;
  let hf: Holdfast;

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

  async function observed(runId: string, tool: string): Promise<void> {
    for await (const entry of hf.tail(runId)) if (entry.kind === "observation" && entry.name === tool) return;
  }

  return {
    model,
    downstream,
    hf: () => hf,
    /** Where a worker finds all that. */
    places: () => ({ database: database.url, modelUrl: model.url, downstreamUrl: downstream.url }),
    /** The turns that a model was asked for: each is paid. */
    asked: (id: string): number[] => model.asked(id).map(({ turn }) => turn),
    /** What arrived for a run, and under which keys. */
    seen: (id: string) => ({
      calls: () => downstream.calls(id),
      tools: () => downstream.calls(id).map(({ tool }) => tool),
      keysOf: (tool: string) =>
        downstream.calls(id).flatMap((call) => (call.tool === tool ? [call.key] : [])),
    }),
    /**
     * Starts a process, and kills it when step2 has had its effect and all else is on record that can be. `asks` is what
     * its tools give themselves out for; `run`, its run: undefined where the process does without Holdfast.
     */
    killInStep2: async (start: () => Child, asks: string, run: string | undefined): Promise<void> => {
      const { arrived } = downstream.withhold(asks, "step2");
      const first = start();
      await Promise.race([arrived, first.says("value")]);
      if (run !== undefined) await observed(run, "step1");
      await first.kill("SIGKILL");
      expect(await first.exited()).toMatchObject({ signal: "SIGKILL" });
    },
  };
}

/** A worker, which is not left behind when its test is over. */
export function startWorker({ onTestFinished }: TestContext, program: string, task: object): Child {
  const child = new Child(program, [JSON.stringify(task)]);
  onTestFinished(() => child.kill());
  return child;
}

/** A turn in which the model asks for these steps. */
export const says = (...steps: number[]): Turn => ({
  calls: steps.map((n) => ({ name: `step${n}`, input: { n } })),
});

export const text = "All three steps are done.";
export const inTurn: readonly Turn[] = [says(1), says(2), says(3), { text }];
export const twoAtOnce: readonly Turn[] = [says(1, 2), says(3), { text }];

export const turnsOf = (script: readonly Turn[] = []): number[] => script.map((_, turn) => turn);
