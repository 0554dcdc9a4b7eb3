import { describe, expect, test } from "vitest";
import { z } from "zod";
import { durableMiddleware, withDurability } from "../src/index.ts";
import { stepCount, versions } from "./versions.ts";
import { newRunId, workbench } from "./workbench.ts";

const { here, twice, model } = workbench();

const globals = globalThis as { AI_SDK_DEFAULT_PROVIDER?: unknown };

const say = (text: string) => ({ inputSchema: z.object({}), execute: async () => text });

describe.each(versions)("$name", (version) => {
  const ai = withDurability(version.ai);

  test("a model that is named by its id is the default provider's, and is held", async () => {
    const scripted = model(version, { text: "by name" });
    globals.AI_SDK_DEFAULT_PROVIDER = { languageModel: () => scripted.model };
    try {
      const results = await twice(() => ai.generateText({ model: scripted.id, prompt: "go" }));
      expect(results.map(({ text }) => text)).toEqual(["by name", "by name"]);
    } finally {
      delete globals.AI_SDK_DEFAULT_PROVIDER;
    }
    expect(scripted.asked()).toHaveLength(1);
  });

  test("without a default provider it is the gateway's", async () => {
    const scripted = model(version, { text: "by name" });
    const gateway = { languageModel: () => scripted.model };
    const held = withDurability({ ...version.ai, gateway });
    const results = await twice(() => held.generateText({ model: scripted.id, prompt: "go" }));
    expect(results.map(({ text }) => text)).toEqual(["by name", "by name"]);
    expect(scripted.asked()).toHaveLength(1);
  });

  test("a model that prepareStep chooses is held", async () => {
    const first = model(version, { calls: [{ name: "note", input: {} }] });
    const other = model(version, { text: "unused" }, { text: "from the other" });
    const results = await twice(() =>
      ai.generateText({
        model: first.model,
        tools: { note: say("noted") },
        prompt: "go",
        stopWhen: stepCount(ai, 9),
        prepareStep: ({ stepNumber }: { stepNumber: number }) =>
          stepNumber > 0 ? { model: other.model } : undefined,
      }),
    );
    expect(results.map(({ text }) => text)).toEqual(["from the other", "from the other"]);
    expect([first.asked().length, other.asked().length]).toEqual([1, 1]);
  });

  test.skipIf(version.major === 5)(
    "a model and tools that an agent's prepareCall chooses are held",
    async () => {
      const unused = model(version);
      const chosen = model(version, { calls: [{ name: "note", input: {} }] }, { text: "from the chosen" });
      let notes = 0;
      const note = { inputSchema: z.object({}), execute: async () => ++notes };
      const agent = new ai.Experimental_Agent({
        model: unused.model,
        prepareCall: (options: object) => ({ ...options, model: chosen.model, tools: { note } }),
      });
      const results = await twice(() => agent.generate({ prompt: "go" }));
      expect(results.map(({ text }) => text)).toEqual(["from the chosen", "from the chosen"]);
      expect([unused.asked().length, chosen.asked().length, notes]).toEqual([0, 2, 1]);
    },
  );

  test("each call has a lane of its own, and so keeps its place beside others", async () => {
    const scripted = model(version, { text: "hello" });
    const agent = new ai.Experimental_Agent({ model: scripted.model });
    const options = { model: scripted.model, prompt: "go" };
    const runId = newRunId();
    await here().run(runId, async () => {
      await ai.generateText(options);
      await (await ai.streamText(options)).text;
      await agent.generate({ prompt: "go" });
      await (await agent.stream({ prompt: "go" })).text;
      await Promise.all([ai.generateText(options), ai.generateText({ ...options, prompt: "again" })]);
    });
    const entries = await here().entries(runId);
    const steps = entries.flatMap((entry) => (entry.kind === "observation" ? [entry.step] : []));
    expect(steps.toSorted()).toEqual([
      "agent.generate.0/model#0",
      "agent.stream.0/model#0",
      "generateText.0/model#0",
      "generateText.1/model#0",
      "generateText.2/model#0",
      "streamText.0/model#0",
    ]);
  });

  test("a model that is bound to one call is bound anew to another that it is passed to", async () => {
    const scripted = model(version, { text: "hello" });
    const runId = newRunId();
    const prepareStep = async ({ model }: { model: unknown }) => {
      await ai.generateText({ model, prompt: "inner" });
    };
    await here().run(runId, () => ai.generateText({ model: scripted.model, prompt: "outer", prepareStep }));
    const entries = await here().entries(runId);
    expect(entries.flatMap((entry) => (entry.kind === "observation" ? [entry.step] : []))).toEqual([
      "generateText.0/generateText.0/model#0",
      "generateText.0/model#0",
    ]);
  });

  test("an agent made outside of any run is held in each run that it is called in", async () => {
    const scripted = model(version, { text: "hello" });
    const agent = new ai.Experimental_Agent({ model: scripted.model });
    await twice(() => agent.generate({ prompt: "go" }));
    await twice(() => agent.generate({ prompt: "go" }));
    expect(scripted.asked()).toHaveLength(2);
    expect(agent).toBeInstanceOf(version.ai.Experimental_Agent);
  });

  test("generateObject and streamObject are held", async () => {
    const scripted = model(version, { text: '{"city":"Lisbon"}' });
    const options = { model: scripted.model, schema: z.object({ city: z.string() }), prompt: "where?" };
    const generated = await twice(() => ai.generateObject(options));
    expect(generated.map(({ object }) => object)).toEqual([{ city: "Lisbon" }, { city: "Lisbon" }]);
    expect(scripted.asked()).toHaveLength(1);

    const streamed = await twice(() => ai.streamObject(options));
    for (const { partialObjectStream, object } of streamed) {
      let partial: unknown;
      for await (partial of partialObjectStream);
      expect([partial, await object]).toEqual([{ city: "Lisbon" }, { city: "Lisbon" }]);
    }
    expect(scripted.asked()).toHaveLength(2);
  });

  test("a try that fails is no outcome: the SDK's next try takes its place", async () => {
    const scripted = model(version, { text: "at last", fails: { times: 1, how: "status" } });
    const results = await twice(() => ai.generateText({ model: scripted.model, prompt: "go" }));
    expect(results.map(({ text }) => text)).toEqual(["at last", "at last"]);
    expect(scripted.asked()).toHaveLength(2);
  });

  test("usage and the response's metadata come back as they were", async () => {
    const scripted = model(version, { text: "hello" });
    const [live, replayed] = await twice(() => ai.generateText({ model: scripted.model, prompt: "go" }));
    expect(live.usage).toMatchObject({ inputTokens: 100, outputTokens: 20 });
    expect(replayed.usage).toEqual(live.usage);
    expect(replayed.response.id).toBe(live.response.id);
    expect(replayed.response.timestamp).toEqual(live.response.timestamp);
  });

  test("durableMiddleware holds a model in an SDK that is not held itself", async () => {
    const scripted = model(version, { text: "hello" });
    const wrapped = version.ai.wrapLanguageModel({ model: scripted.model, middleware: durableMiddleware() });
    const texts = await twice(() => version.ai.generateText({ model: wrapped, prompt: "go" }));
    const streams = await twice(async () => {
      const result = version.ai.streamText({ model: wrapped, prompt: "go" });
      await result.consumeStream();
      return result;
    });
    for (const result of [...texts, ...streams]) expect(await result.text).toBe("hello");
    expect(scripted.asked()).toHaveLength(2);
  });

  test("a model with durableMiddleware is held once in an SDK that is held", async () => {
    const scripted = model(version, { text: "hello" });
    const wrapped = version.ai.wrapLanguageModel({ model: scripted.model, middleware: durableMiddleware() });
    const runId = newRunId();
    const hf = here();
    await hf.run(runId, () => ai.generateText({ model: wrapped, prompt: "go" }));
    const observations = (await hf.entries(runId)).filter(({ kind }) => kind === "observation");
    expect(observations).toHaveLength(1);
  });
});

test("a model of V2 keeps its token counts in ai 6", async () => {
  const [v2, , , v3] = versions;
  if (!v2 || !v3) throw new Error("the table of versions has changed");
  const ai = withDurability(v3.ai);
  const scripted = model(v2, { text: "hello" });
  const { usage } = await here().run(newRunId(), () =>
    ai.generateText({ model: scripted.model, prompt: "go" }),
  );
  expect(usage).toMatchObject({ inputTokens: 100, outputTokens: 20 });
});
