import { describe, expect, test } from "vitest";
import { z } from "zod";
import { withDurability } from "../src/index.ts";
import type { Turn } from "./scripted-model.ts";
import { type Ai, stepCount, versions } from "./versions.ts";
import { newRunId, workbench } from "./workbench.ts";

const { here, open, model } = workbench({ tools: { "step*": { effect: "idempotent" } } });

interface Ask {
  readonly prompt: string;
  readonly [setting: string]: unknown;
}

const shapes: [name: string, ask: (ai: Ai, options: Ask) => { text: unknown }][] = [
  ["generateText", (ai, options) => ai.generateText(options) as never],
  ["streamText", (ai, options) => ai.streamText(options)],
  [
    "agent.generate",
    (ai, { prompt, ...settings }) => new ai.Experimental_Agent(settings).generate({ prompt }),
  ],
  ["agent.stream", (ai, { prompt, ...settings }) => new ai.Experimental_Agent(settings).stream({ prompt })],
];

const inTurn: Turn[] = [
  { calls: [{ name: "step1", input: { n: 1 } }] },
  { calls: [{ name: "step2", input: { n: 2 } }] },
  { calls: [{ name: "step3", input: { n: 3 } }] },
  { text: "All three steps are done." },
];

const twoAtOnce: Turn[] = [
  {
    calls: [
      { name: "step1", input: { n: 1 } },
      { name: "step2", input: { n: 2 } },
    ],
  },
  { calls: [{ name: "step3", input: { n: 3 } }] },
  { text: "All three steps are done." },
];

/** Three tools of which the second hangs when it is called first, as if its process were about to die. */
function steps() {
  const calls: { tool: string; key: string }[] = [];
  const hanging = Promise.withResolvers<void>();
  const step = (tool: string) => ({
    inputSchema: z.object({ n: z.number() }),
    async execute({ n }: { n: number }, { idempotencyKey }: { idempotencyKey: string }) {
      calls.push({ tool, key: idempotencyKey });
      if (tool === "step2" && calls.filter((call) => call.tool === tool).length === 1) {
        hanging.resolve();
        await new Promise(() => {});
      }
      return { done: n };
    },
  });
  return {
    calls,
    hangs: hanging.promise,
    tools: { step1: step("step1"), step2: step("step2"), step3: step("step3") },
  };
}

describe.each(versions)("$name", (version) => {
  const ai = withDurability(version.ai);

  describe.each(shapes)("%s", (_, ask) => {
    test.each([
      ["in turn", inTurn, 2],
      ["two at once", twoAtOnce, 1],
    ])("a run that stops inside a tool goes on there, its tools called %s", async (_, turns, turnsBefore) => {
      const scripted = model(version, ...turns);
      const { calls, hangs, tools } = steps();
      const runId = newRunId();
      const options = {
        model: scripted.model,
        tools,
        prompt: "go",
        stopWhen: stepCount(ai, 9),
        onError() {},
      };
      const work = () => ask(ai, options);

      const first = await open();
      first.run(runId, work).catch(() => {}); // it is cut short
      await hangs;
      // Until all is on record that can be: the answers, and what the first tool gave.
      const observations = async () =>
        (await first.entries(runId)).filter(({ kind }) => kind === "observation");
      await expect.poll(observations, { timeout: 4_000 }).toHaveLength(turnsBefore + 1);
      await first.close({ graceSeconds: 0 });
      expect(scripted.asked()).toHaveLength(turnsBefore);

      expect(await (await here().run(runId, work)).text).toBe("All three steps are done.");
      expect(scripted.asked().map(({ turn }) => turn)).toEqual(turns.map((_, turn) => turn));
      expect(calls.map(({ tool }) => tool).toSorted()).toEqual(["step1", "step2", "step2", "step3"]);
      expect(new Set(calls.map(({ key }) => key)).size).toBe(3);

      expect(await (await here().run(runId, work)).text).toBe("All three steps are done.");
      expect(scripted.asked()).toHaveLength(turns.length);
      expect(calls).toHaveLength(4);
    });
  });
});
