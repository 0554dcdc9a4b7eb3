import { HoldfastError, once } from "@holdfast/core";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { withDurability } from "../src/index.ts";
import { finishPart } from "./part-model.ts";
import { type Ai, stepCount, type Version, versions } from "./versions.ts";
import { newRunId, workbench } from "./workbench.ts";

const { here, open, twice, model } = workbench();

/** A tool that only the provider knows; with an `execute` it is run here all the same. */
const providerTool = ({ major }: Version, more: object = {}) => ({
  type: major === 5 ? "provider-defined" : "provider",
  id: "scripted.search",
  name: "search",
  args: {},
  inputSchema: z.object({}),
  isProviderExecuted: !("execute" in more),
  ...more,
});

/** A model that is asked and does not answer; asked again, it does. */
function slowModel(version: Version) {
  const asked: { providerOptions?: object }[] = [];
  const waiting = Promise.withResolvers<void>();
  const { finishReason, usage } = finishPart(version, "stop");
  const model = {
    specificationVersion: `v${version.major - 3}`,
    provider: "scripted",
    modelId: "slow",
    supportedUrls: {},
    async doGenerate(request: { providerOptions?: object }) {
      if (asked.push(request) === 1) {
        waiting.resolve();
        await new Promise(() => {});
      }
      return { content: [{ type: "text", text: "found" }], finishReason, usage, warnings: [] };
    },
  };
  return { model, asked, waits: waiting.promise };
}

describe.each(versions)("$name", (version) => {
  const ai = withDurability(version.ai);

  describe("a model call with a tool that only the provider knows, cut short before it was recorded,", () => {
    const cutShort = async (options: object) => {
      const { model, asked, waits } = slowModel(version);
      const runId = newRunId();
      const work = async () => {
        const { text } = await ai.generateText({ model, prompt: "go", ...options });
        return text as string;
      };
      const first = await open();
      first.run(runId, work).catch(() => {}); // it is cut short
      await waits;
      await first.close({ graceSeconds: 0 });
      return { runId, asked, again: () => here().run(runId, work) };
    };

    test("is in doubt, and made again once somebody says that it did not happen", async () => {
      const { runId, asked, again } = await cutShort({ tools: { search: providerTool(version) } });
      const error = await again().catch((error: unknown) => error);
      const doubts = HoldfastError.is(error, "RUN_WAITING") ? error.details.doubts : [];
      expect(doubts).toEqual(["generateText.0/model#0"]);
      expect(asked).toHaveLength(1);

      await here().doubts.resolve(runId, doubts[0] ?? "", { didNotHappen: true }, { by: "ana" });
      expect(await again()).toBe("found");
      expect(asked).toHaveLength(2);
    });

    test("is made again where the tool is said to do no harm, and no provider hears of that", async () => {
      const { asked, again } = await cutShort({
        tools: { search: providerTool(version) },
        providerOptions: { scripted: { tier: 1 }, holdfast: { effects: { search: "read" } } },
      });
      expect(await again()).toBe("found");
      expect(asked.map(({ providerOptions }) => providerOptions)).toEqual(
        Array(2).fill({ scripted: { tier: 1 } }),
      );
    });

    test("is made again where the tool is run here", async () => {
      const search = providerTool(version, { execute: async () => "here" });
      const { again } = await cutShort({ tools: { search } });
      expect(await again()).toBe("found");
    });
  });

  test.each(["generateText", "streamText"])(
    "%s parks where a call with such a tool failed: it may have done what it does all the same",
    async (name) => {
      const scripted = model(version, { text: "found", fails: { times: 1, how: "status" } });
      const tools = { search: providerTool(version) };
      const work = () => ai[name]({ model: scripted.model, tools, prompt: "go", onError() {} });
      await expect(here().run(newRunId(), work)).rejects.toSatisfy((error) =>
        HoldfastError.is(error, "RUN_WAITING"),
      );
      expect(scripted.asked()).toHaveLength(1);
    },
  );

  test.each(["generateText", "streamText"])("%s refuses a tool that came by an unknown way", async (name) => {
    const scripted = model(version, { calls: [{ name: "secret", input: {} }] }, { text: "done" });
    let calls = 0;
    const secret = { inputSchema: z.object({}), execute: async () => ++calls };
    const note = { inputSchema: z.object({}), execute: async () => "noted" };
    // A later version, whose functions take tools by an option that is not known here.
    const later = (call: (options: object) => unknown) => (options: { tools: object; moreTools: object }) =>
      call({ ...options, tools: { ...options.tools, ...options.moreTools } });
    const module = { ...version.ai, [name]: later(version.ai[name]) };
    const held = withDurability<Ai>(module);
    const options = { model: scripted.model, prompt: "go", stopWhen: stepCount(ai, 9), onError() {} };
    const run = here().run(newRunId(), () => {
      const call = held[name as "streamText"];
      return call({ ...options, tools: { note }, moreTools: { secret } });
    });
    await expect(run).rejects.toSatisfy((error) => HoldfastError.is(error, "UNHELD_CALL"));
    expect(scripted.asked()).toHaveLength(0);
    expect(calls).toBe(0);
  });

  test("a tool without execute is the client's, and is not refused", async () => {
    const scripted = model(version, { calls: [{ name: "confirm", input: {} }] });
    const confirm = { inputSchema: z.object({}) };
    const results = await twice(() =>
      ai.generateText({ model: scripted.model, tools: { confirm }, prompt: "go" }),
    );
    for (const { toolCalls } of results) expect(toolCalls).toMatchObject([{ toolName: "confirm" }]);
    expect(scripted.asked()).toHaveLength(1);
  });

  test("tools that prepareStep brings are held", async () => {
    const scripted = model(version, { calls: [{ name: "late", input: {} }] }, { text: "done" });
    let calls = 0;
    const late = { inputSchema: z.object({}), execute: async () => ++calls };
    const settings = {
      tools: { late },
      stopWhen: stepCount(ai, 9),
      prepareStep: () => ({ tools: { late } }),
    };
    const results = await twice(() => ai.generateText({ model: scripted.model, prompt: "go", ...settings }));
    expect(results.map(({ text }) => text)).toEqual(["done", "done"]);
    expect(calls).toBe(1);
  });

  test("what a callback does once is not done again by a replay", async () => {
    const scripted = model(version, { calls: [{ name: "note", input: {} }] }, { text: "done" });
    const note = { inputSchema: z.object({}), execute: async () => "noted" };
    const told: string[] = [];
    const saved: string[] = [];
    let step = 0;
    const onStepFinish = async ({ finishReason }: { finishReason: string }) => {
      told.push(finishReason);
      await once(`save-${step++}`, () => saved.push(finishReason));
    };
    await twice(async () => {
      step = 0;
      const options = { model: scripted.model, tools: { note }, prompt: "go", onStepFinish };
      return await ai.generateText({ ...options, stopWhen: stepCount(ai, 9) });
    });
    expect(told).toEqual(["tool-calls", "stop", "tool-calls", "stop"]);
    expect(saved).toEqual(["tool-calls", "stop"]);
  });

  test("what a stream's callback does once is not done again by a replay", async () => {
    const scripted = model(version, { text: "done" });
    const saved: string[] = [];
    const onFinish = ({ text }: { text: string }) => once("save", () => saved.push(text));
    await twice(() => ai.streamText({ model: scripted.model, prompt: "go", onFinish }));
    expect(saved).toEqual(["done"]);
  });
});
