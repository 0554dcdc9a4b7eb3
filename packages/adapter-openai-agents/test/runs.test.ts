import { describe, expect, test } from "vitest";
import { z } from "zod";
import { withDurability } from "../src/index.ts";
import { calls, ItemModel, says } from "./item-model.ts";
import { versions } from "./versions.ts";
import { newRunId, workbench } from "./workbench.ts";

const { here, twice, cut, open, model } = workbench({ tools: { "*": { effect: "idempotent" } } });

describe.each(versions)("$name", (version) => {
  const { sdk } = version;
  withDurability(sdk.Runner);
  const { Agent, Runner, run } = sdk;

  /** A tool that says what it is called with, and how often it was called. */
  function counted(name: string, execute: (input: never, context: never) => unknown = () => "done") {
    const inputs: unknown[] = [];
    const tool = sdk.tool({
      name,
      description: name,
      parameters: z.object({ n: z.number() }),
      execute: (input: never, context: never) => {
        inputs.push(input);
        return execute(input, context);
      },
    });
    return { tool, inputs };
  }

  test("a class that is held already is given back as it is", () => {
    const { run } = sdk.Runner.prototype as { run: unknown };
    expect(withDurability(sdk.Runner)).toBe(sdk.Runner);
    expect((sdk.Runner.prototype as { run: unknown }).run).toBe(run);
  });

  test("a model that is named is asked once, and the agent is the user's own", async () => {
    const scripted = model(version, { calls: [{ name: "look", input: { n: 1 } }] }, { text: "seen" });
    const look = counted("look");
    const agent = new Agent({ name: "Named", model: scripted.model, tools: [look.tool] });
    const results = await twice(() => scripted.runner.run(agent, "go"));
    for (const result of results) {
      expect(result.finalOutput).toBe("seen");
      expect(result.lastAgent).toBe(agent);
      expect(result.state.usage.totalTokens).toBe(240);
      expect(result.rawResponses[0].usage).toBeInstanceOf(result.state.usage.constructor);
    }
    expect(agent.tools[0]).toBe(look.tool);
    expect(scripted.asked()).toHaveLength(2);
    expect(look.inputs).toEqual([{ n: 1 }]);
  });

  test.each(["the agent", "the runner"])("a model instance that %s has is asked once", async (whose) => {
    const instance = new ItemModel([says("hello")]);
    const agent = new Agent({ name: "Held", ...(whose === "the agent" && { model: instance }) });
    const runner = new Runner(whose === "the runner" ? { model: instance } : {});
    const [live, replayed] = await twice(() => runner.run(agent, "go"));
    expect([live.finalOutput, replayed.finalOutput]).toEqual(["hello", "hello"]);
    expect(instance.asked).toHaveLength(1);
    expect((await runner.run(agent, "outside a run")).finalOutput).toBe("hello");
    expect(instance.asked).toHaveLength(2);
  });

  test("a model that asks another one is one call", async () => {
    const inner = new ItemModel([says("hello")]);
    const outer = {
      getResponse: (request: never) => inner.getResponse(request),
      getStreamedResponse: (request: never) => inner.getStreamedResponse(request),
    };
    const both = new Agent({ name: "Both", model: outer });
    const alone = new Agent({ name: "Alone", model: inner });
    const runId = newRunId();
    await here().run(runId, async () => {
      await run(alone, "go"); // so that the inner one is held too
      await run(both, "go");
    });
    const entries = await here().entries(runId);
    expect(entries.filter(({ kind }) => kind === "observation")).toHaveLength(2);
  });

  test("a model call that fails is not on record: the next try takes its place", async () => {
    const instance = new ItemModel([says("at last")]);
    instance.before = () => {
      if (instance.asked.length === 1) throw new Error("busy");
    };
    const agent = new Agent({ name: "Tries", model: instance });
    const runId = newRunId();
    await expect(here().run(runId, () => run(agent, "go"))).rejects.toThrow("busy");
    expect((await here().run(runId, () => run(agent, "go"))).finalOutput).toBe("at last");
  });

  test("agents that are handed to run once, and who answers is the user's own", async () => {
    const handedOff: unknown[] = [];
    const billing = new Agent({ name: "Billing", model: new ItemModel([], [says("paid")]) });
    const plainly = new Agent({ name: "Plain", model: new ItemModel([], [], [says("never")]) });
    const triage = new Agent({
      name: "Triage",
      model: new ItemModel([calls("transfer_to_Billing", { why: "money" })]),
      handoffs: [
        sdk.handoff(billing, {
          inputType: z.object({ why: z.string() }),
          onHandoff: (context: { context: { trail: string[] } }, { why }: { why: string }) => {
            handedOff.push(why);
            context.context.trail.push(why);
          },
        }),
        plainly,
      ],
    });
    const results = await twice(() => run(triage, "go", { context: { trail: [] as string[] } }));
    for (const result of results) {
      expect(result.finalOutput).toBe("paid");
      expect(result.lastAgent).toBe(billing);
      expect(result.state._context.context).toEqual({ trail: ["money"] });
    }
    expect(handedOff).toEqual(["money"]);
    expect(billing.model.asked).toHaveLength(1);
  });

  test("an agent that hands off to one without onHandoff writes nothing for it", async () => {
    const billing = new Agent({ name: "Billing", model: new ItemModel([], [says("paid")]) });
    const triage = new Agent({
      name: "Triage",
      model: new ItemModel([calls("transfer_to_Billing")]),
      handoffs: [billing],
    });
    const runId = newRunId();
    const result = await here().run(runId, () => run(triage, "go"));
    expect(result.lastAgent).toBe(billing);
    expect((await here().entries(runId)).filter(({ kind }) => kind === "intent")).toEqual([]);
  });

  test("agents as tools go on inside, however deep they are", async () => {
    const reached = Promise.withResolvers<void>();
    let waits = true;
    const leaf = counted("leaf", () => {
      if (!waits) return "leaf";
      waits = false;
      reached.resolve();
      return new Promise(() => {});
    });
    const before = counted("before");
    const inner = new Agent({
      name: "Inner",
      model: new ItemModel([calls("before", { n: 1 })], [calls("leaf", { n: 2 })], [says("inner says")]),
      tools: [before.tool, leaf.tool],
    });
    const middle = new Agent({
      name: "Middle",
      model: new ItemModel([calls("ask_inner", { input: "q" })], [says("middle says")]),
      tools: [inner.asTool({ toolName: "ask_inner", toolDescription: "asks" })],
    });
    const outer = new Agent({
      name: "Outer",
      model: new ItemModel([calls("ask_middle", { input: "q" })], [says("outer says")]),
      tools: [middle.asTool({ toolName: "ask_middle", toolDescription: "asks" })],
    });
    const result = await cut(reached.promise, () => run(outer, "go"));
    expect(result.finalOutput).toBe("outer says");
    expect(before.inputs).toHaveLength(1);
    expect(leaf.inputs).toHaveLength(2);
    for (const { model } of [outer, middle, inner]) {
      const turns = model.asked.length;
      expect(turns).toBe(model === inner.model ? 3 : 2);
    }
  });

  test("one agent as two tool calls side by side keeps them apart, whatever its instructions say", async () => {
    const reached = Promise.withResolvers<void>();
    let slow = true;
    const paid: string[] = [];
    const pay = sdk.tool({
      name: "pay",
      description: "pays",
      parameters: z.object({ to: z.string() }),
      execute: async ({ to }: { to: string }) => {
        paid.push(to);
        if (to === "bob" && slow) {
          slow = false;
          reached.resolve();
          await new Promise(() => {});
        }
        return `paid ${to}`;
      },
    });
    const payer = {
      getResponse: async (request: { input: { content: string }[] }) => {
        const to = JSON.stringify(request.input[0]).includes("alice") ? "alice" : "bob";
        const script = new ItemModel([calls("pay", { to })], [says(`${to} is paid`)]);
        return await script.getResponse(request as never);
      },
      getStreamedResponse: () => {
        throw new Error("not streamed");
      },
    };
    let asked = 0;
    const inner = new Agent({ name: "Payer", model: payer, instructions: () => `${++asked}`, tools: [pay] });
    const outer = new Agent({
      name: "Outer",
      model: new ItemModel(
        [calls("ask_payer", { input: "alice" }), calls("ask_payer", { input: "bob" })],
        [says("both")],
      ),
      tools: [inner.asTool({ toolName: "ask_payer", toolDescription: "pays" })],
    });
    const result = await cut(reached.promise, () => run(outer, "go"));
    const outputs = result.newItems.flatMap((item: { type: string; output: unknown }) =>
      item.type === "tool_call_output_item" ? [item.output] : [],
    );
    expect(outputs).toEqual(["alice is paid", "bob is paid"]);
    expect(paid.toSorted()).toEqual(["alice", "bob", "bob"]);
  });

  test("guardrails and tools may call run() themselves", async () => {
    const judge = new ItemModel([says("fine")]);
    const helper = new ItemModel([says("helped")]);
    const judging = new Agent({ name: "Judge", model: judge });
    const helping = new Agent({ name: "Helper", model: helper });
    const help = counted("help", async () => (await run(helping, "help")).finalOutput);
    const agent = new Agent({
      name: "Guarded",
      model: new ItemModel([calls("help", { n: 1 })], [says("done")]),
      tools: [help.tool],
      inputGuardrails: [
        {
          name: "judged",
          execute: async ({ input }: { input: string }) => {
            const { finalOutput } = await run(judging, input);
            return { outputInfo: finalOutput, tripwireTriggered: false };
          },
        },
      ],
    });
    const [live, replayed] = await twice(() => run(agent, "go"));
    expect(replayed.finalOutput).toBe(live.finalOutput);
    expect(replayed.inputGuardrailResults[0].output.outputInfo).toBe("fine");
    expect([judge, helper, agent.model].map((model) => model.asked.length)).toEqual([1, 1, 2]);
  });

  test("when the run stops, nobody in it is told that a call has failed", async () => {
    const reached = Promise.withResolvers<void>();
    const told: unknown[] = [];
    const instance = new ItemModel([says("never")]);
    instance.before = async ({ signal }) => {
      reached.resolve();
      await new Promise((_, reject) => signal?.addEventListener("abort", () => reject(signal.reason)));
    };
    const agent = new Agent({ name: "Stopped", model: instance });
    const hf = await open();
    const stopped = hf.run(newRunId(), () => run(agent, "go").catch((error: unknown) => told.push(error)));
    stopped.catch(() => {});
    await reached.promise;
    await hf.close({ graceSeconds: 0 });
    await expect(stopped).rejects.toBeInstanceOf(Error);
    await new Promise((resolve) => setImmediate(resolve));
    expect(told).toEqual([]);
  });

  test("structured output is read from the record", async () => {
    const agent = new Agent({
      name: "Structured",
      model: new ItemModel([says('{"cents":42}')]),
      outputType: z.object({ cents: z.number() }),
    });
    const [live, replayed] = await twice(() => run(agent, "go"));
    expect([live.finalOutput, replayed.finalOutput]).toEqual([{ cents: 42 }, { cents: 42 }]);
  });

  test("a run that came to maxTurns goes on with more of them", async () => {
    const look = counted("look");
    const instance = new ItemModel([calls("look", { n: 1 })], [calls("look", { n: 2 })], [says("done")]);
    const agent = new Agent({ name: "Long", model: instance, tools: [look.tool] });
    const runId = newRunId();
    const first = here().run(runId, () => run(agent, "go", { maxTurns: 1 }));
    await expect(first).rejects.toThrow(/Max turns/);
    const { finalOutput } = await here().run(runId, () => run(agent, "go", { maxTurns: 5 }));
    expect(finalOutput).toBe("done");
    expect(instance.asked).toHaveLength(3);
    expect(look.inputs).toHaveLength(2);
  });

  test("a tool that is enabled only in some turns is held in those", async () => {
    const look = counted("look");
    const late = sdk.tool({
      name: "late",
      description: "late",
      parameters: z.object({ n: z.number() }),
      execute: () => "late",
      isEnabled: ({ runContext }: { runContext: { context: { ready: boolean } } }) =>
        runContext.context.ready,
    });
    const ready = counted("ready", (_, context: { context: { ready: boolean } }) => {
      context.context.ready = true;
      return "ready";
    });
    const instance = new ItemModel([calls("ready", { n: 1 })], [calls("late", { n: 1 })], [says("done")]);
    const agent = new Agent({ name: "Dynamic", model: instance, tools: [look.tool, late, ready.tool] });
    const work = () => run(agent, "go", { context: { ready: false } });
    const [live, replayed] = await twice(work);
    expect([live.finalOutput, replayed.finalOutput]).toEqual(["done", "done"]);
    expect(instance.asked).toHaveLength(3);
    expect(ready.inputs).toHaveLength(1);
  });

  test("an abort by the caller fails the run, and the same id goes on", async () => {
    const caller = new AbortController();
    const reached = Promise.withResolvers<void>();
    const instance = new ItemModel([says("done")]);
    instance.before = async ({ signal }) => {
      if (instance.asked.length > 1) return;
      reached.resolve();
      await new Promise((_, reject) => signal?.addEventListener("abort", () => reject(signal.reason)));
    };
    const agent = new Agent({ name: "Aborted", model: instance });
    const runId = newRunId();
    const first = here().run(runId, () => run(agent, "go", { signal: caller.signal }));
    await reached.promise;
    caller.abort(new DOMException("The caller went away.", "AbortError"));
    await expect(first).rejects.toThrow("The caller went away.");
    expect((await here().run(runId, () => run(agent, "go"))).finalOutput).toBe("done");
  });
});
