import { AsyncResource } from "node:async_hooks";
import { current, idempotencyKey, type Port } from "@holdfast/core";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { type Hold, holdOn } from "../src/hold.ts";
import { durableTools, withDurability } from "../src/index.ts";
import { holdModel } from "../src/model.ts";
import { holdTools } from "../src/tools.ts";
import { type Ai, stepCount, type Version, versions } from "./versions.ts";
import { newRunId, workbench } from "./workbench.ts";

const { here, open, twice, model } = workbench({
  tools: { again: { effect: "idempotent" }, flaky: { effect: "read", retry: { attempts: 2 } } },
});

const inputSchema = z.object({});

/** A model that calls one tool and then says what it is about. */
const callsOnce = (version: Version, name: string) =>
  model(version, { calls: [{ name, input: {} }] }, { text: "done" });

const outside = new AsyncResource("outside of any run");

describe.each(versions)("$name", (version) => {
  const ai = withDurability(version.ai);
  const generate = (scripted: { model: unknown }, tools: object, options: object = {}) =>
    ai.generateText({ model: scripted.model, tools, prompt: "go", stopWhen: stepCount(ai, 9), ...options });

  test("what a tool throws is shown to the model, and thrown again from the record", async () => {
    const scripted = callsOnce(version, "order");
    let calls = 0;
    const order = {
      inputSchema,
      async execute() {
        calls++;
        throw new RangeError("no stock");
      },
    };
    for (const { text, steps } of await twice(() => generate(scripted, { order }))) {
      const { error } = steps[0].content.find(({ type }: { type: string }) => type === "tool-error");
      expect([text, error.name, error.message]).toEqual(["done", "RangeError", "no stock"]);
    }
    expect(JSON.stringify(scripted.asked()[1]?.messages.at(-1))).toContain("no stock");
    expect(calls).toBe(1);
    expect(scripted.asked()).toHaveLength(2);
  });

  test("a tool call id that the provider uses again in a later turn is another call", async () => {
    const call = (n: number) => ({ calls: [{ name: "count", input: { n }, id: "call_0" }] });
    const scripted = model(version, call(1), call(2), { text: "counted" });
    const counted: number[] = [];
    const count = {
      inputSchema: z.object({ n: z.number() }),
      async execute({ n }: { n: number }) {
        counted.push(n);
        return n * 10;
      },
    };
    for (const { steps } of await twice(() => generate(scripted, { count }))) {
      expect([steps[0].toolResults[0].output, steps[1].toolResults[0].output]).toEqual([10, 20]);
    }
    expect(counted).toEqual([1, 2]);
  });

  test("a sub-agent inside a tool is held as well: what it did is not done again", async () => {
    const inner = callsOnce(version, "lookup");
    const outer = callsOnce(version, "again");
    const called: string[] = [];
    const lookup = {
      inputSchema,
      async execute() {
        called.push("lookup");
        return "found";
      },
    };
    const again = {
      inputSchema,
      async execute() {
        called.push("again");
        const { text } = await generate(inner, { lookup });
        if (called.filter((name) => name === "again").length === 1) await new Promise(() => {});
        return text;
      },
    };
    const runId = newRunId();

    const first = await open();
    first.run(runId, () => generate(outer, { again })).catch(() => {}); // it is cut short
    const observations = async () =>
      (await first.entries(runId)).filter(({ kind }) => kind === "observation");
    await expect.poll(observations, { timeout: 4_000 }).toHaveLength(4);
    await first.close({ graceSeconds: 0 });

    expect((await here().run(runId, () => generate(outer, { again }))).text).toBe("done");
    expect(called).toEqual(["again", "lookup", "again"]);
    expect(inner.asked()).toHaveLength(2);
    expect(outer.asked()).toHaveLength(2);
  });

  test("a tool keeps its this, is told its key, and hears of the run's end", async () => {
    const scripted = callsOnce(version, "ask");
    const seen: unknown[] = [];
    const ask = {
      inputSchema,
      answer: 42,
      async execute(_: unknown, options: { idempotencyKey: string; abortSignal: AbortSignal }) {
        seen.push(this.answer, options.idempotencyKey === idempotencyKey(), options.abortSignal.aborted);
        return this.answer;
      },
    };
    await here().run(newRunId(), () => generate(scripted, { ask }));
    expect(seen).toEqual([42, true, false]);
  });

  test("a dynamic tool is held like any other", async () => {
    const scripted = callsOnce(version, "find");
    let found = 0;
    const find = ai.dynamicTool({ description: "Finds.", inputSchema, execute: async () => ++found });
    for (const { text } of await twice(() => generate(scripted, { find }))) expect(text).toBe("done");
    expect(found).toBe(1);
  });

  test("a tool that may be retried is, and the model is told of what came of it in the end", async () => {
    const scripted = callsOnce(version, "flaky");
    let tries = 0;
    const flaky = {
      inputSchema,
      async execute() {
        if (++tries === 1) throw new Error("busy");
        return "at the second try";
      },
    };
    const { steps } = await here().run(newRunId(), () => generate(scripted, { flaky }));
    expect(steps[0].toolResults[0].output).toBe("at the second try");
    expect(tries).toBe(2);
  });

  test("tools that are held already are held once, by the call that they are passed to", async () => {
    const scripted = callsOnce(version, "note");
    const note = { inputSchema, execute: async () => "noted" };
    const runId = newRunId();
    const hf = here();
    await hf.run(runId, () => generate(scripted, durableTools(durableTools({ note }))));
    const intents = (await hf.entries(runId)).filter(({ kind }) => kind === "intent");
    expect(intents.map((intent) => "name" in intent && intent.name)).toEqual(["note"]);
  });

  test("durableTools hold tools in an SDK that is not held itself", async () => {
    const scripted = callsOnce(version, "note");
    let calls = 0;
    const tools = durableTools({ note: { inputSchema, execute: async () => ++calls } });
    const runId = newRunId();
    const work = (sdk: Ai) => () =>
      sdk.generateText({ model: scripted.model, tools, prompt: "go", stopWhen: stepCount(sdk, 9) });
    await here().run(runId, work(version.ai));
    const [intent] = (await here().entries(runId)).filter(({ kind }) => kind === "intent");
    expect(intent).toMatchObject({ name: "note" });
    expect(calls).toBe(1);
  });

  test.skipIf(version.major === 5)(
    "an approval of the SDK's own is asked for and answered as it is without us",
    async () => {
      const scripted = callsOnce(version, "pay");
      let paid = 0;
      const tools = { pay: { inputSchema, needsApproval: true, execute: async () => ++paid } };
      const ask = (messages: object[]) =>
        ai.generateText({ model: scripted.model, tools, messages, stopWhen: stepCount(ai, 9) });
      const results = await twice(async () => {
        const asked = [{ role: "user", content: "go" }];
        const { content, response } = await ask(asked);
        const { approvalId } = content.find(({ type }: { type: string }) => type === "tool-approval-request");
        const approval = { type: "tool-approval-response", approvalId, approved: true };
        return await ask([...asked, ...response.messages, { role: "tool", content: [approval] }]);
      });
      expect(results.map(({ text }) => text)).toEqual(["done", "done"]);
      expect(paid).toBe(1);
      expect(scripted.asked()).toHaveLength(2);
    },
  );

  test.skipIf(version.name === "ai 5.0.0")(
    "a generator tool streams what it yields; a replay yields the last",
    async () => {
      const scripted = callsOnce(version, "climb");
      let climbs = 0;
      const climb = {
        inputSchema,
        async *execute() {
          climbs++;
          yield "base camp";
          yield `half way, ${idempotencyKey().length > 0}`;
          yield "summit";
        },
      };
      const options = { model: scripted.model, tools: { climb }, prompt: "go", stopWhen: stepCount(ai, 9) };
      const seen = (await twice(() => ai.streamText(options))).map(async ({ fullStream }) => {
        const outputs: unknown[] = [];
        for await (const part of fullStream) if (part.type === "tool-result") outputs.push(part.output);
        return outputs;
      });
      expect(await seen[0]).toEqual(["base camp", "half way, true", "summit", "summit"]);
      expect(await seen[1]).toEqual(["summit", "summit"]);
      expect(climbs).toBe(1);
      expect(scripted.asked()).toHaveLength(2);
    },
  );
});

test("a tool keeps its prototype, and what the SDK hides on it", () => {
  class Tool {
    readonly inputSchema = inputSchema;
    get title() {
      return "inherited";
    }
    async execute() {}
  }
  const tool = Object.defineProperty(new Tool(), "hidden", { value: "by the SDK" });
  expect(durableTools({ tool }).tool).toMatchObject({
    title: "inherited",
    hidden: "by the SDK",
    inputSchema,
  });
});

test("a tool without execute is left as it is", () => {
  const tools = { client: { inputSchema }, provider: { type: "provider-defined", id: "x.search" } };
  const held = durableTools(tools);
  expect([held.client, held.provider]).toEqual([tools.client, tools.provider]);
});

describe("bound to a call, a tool and a model belong to its lane", () => {
  const [version] = versions;
  const bound = async (call: (hold: Hold) => unknown) => {
    const runId = newRunId();
    await here().run(runId, async () => void (await call(holdOn(current() as Port, { streams: false }))));
    const entries = await here().entries(runId);
    return entries.flatMap((entry) => (entry.kind === "observation" ? [entry.step] : []));
  };
  const note = (hold: Hold) => {
    const tools = holdTools({ note: { execute: async () => current()?.runId } }, () => hold);
    return tools.note?.execute?.({}, { toolCallId: "call_1" });
  };
  const ask = (hold: Hold) => {
    const { model: scripted } = model(version as Version, { text: "hello" });
    return holdModel(scripted, hold).doGenerate({ prompt: [{ role: "user", content: [] }] });
  };

  test.each([
    ["where the async context was lost", (_: Hold, call: () => unknown) => outside.runInAsyncScope(call)],
    [
      "where they are called in a deeper one",
      ({ port }: Hold, call: () => unknown) => port.lane("deeper", call),
    ],
  ])("%s", async (_, from) => {
    expect(await bound((hold) => from(hold, () => note(hold)))).toEqual(["note#0"]);
    expect(await bound((hold) => from(hold, () => ask(hold)))).toEqual(["model#0"]);
  });
});
