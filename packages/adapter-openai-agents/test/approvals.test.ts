import { HoldfastError } from "@holdfast/core";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { withDurability } from "../src/index.ts";
import { calls, type Item, ItemModel, says } from "./item-model.ts";
import { versions } from "./versions.ts";
import { newRunId, workbench } from "./workbench.ts";

const { here, elsewhere } = workbench();
const governed = workbench({
  policy: [
    { tool: "wire", then: "ask", reason: "it moves money" },
    { tool: "delete_*", then: "deny", reason: "nothing is deleted here" },
    { tool: "ask_inner", then: "ask" },
    { tool: "transfer_to_Closed", then: "deny", reason: "it is closed" },
  ],
});

describe.each(versions)("$name", ({ sdk }) => {
  withDurability(sdk.Runner);
  const { Agent, run } = sdk;

  function tool(name: string, more: object = {}) {
    const inputs: unknown[] = [];
    const execute = (input: unknown) => {
      inputs.push(input);
      return `${name} is done`;
    };
    const parameters = z.object({ cents: z.number() });
    return { inputs, tool: sdk.tool({ name, description: name, parameters, execute, ...more }) };
  }

  const outputsOf = (result: { newItems: { type: string; output: unknown }[] }) =>
    result.newItems.flatMap(({ type, output }) => (type === "tool_call_output_item" ? [output] : []));

  /** Runs until somebody is asked, and says who and what. */
  async function asked(hf: ReturnType<typeof here>, runId: string, work: () => Promise<unknown>) {
    const error = await hf.run(runId, work).catch((error: unknown) => error);
    expect(HoldfastError.is(error, "RUN_WAITING") && error.details.waitingOn).toBe("approval");
    const [question, ...more] = await elsewhere().questions.list({ runId });
    if (!question) throw new Error("nobody was asked");
    expect(more).toEqual([]);
    return question;
  }

  const dynamic = async (_: unknown, { cents }: { cents: number }) => cents > 100;

  test.each([
    ["always", true, false],
    ["for some arguments", dynamic, false],
    ["always", true, true],
    ["for some arguments", dynamic, true],
  ])(
    "a tool that needs an approval %s is asked about, and another process goes on",
    async (_, needsApproval, stream) => {
      const pay = tool("pay", { needsApproval });
      const look = tool("look");
      const model = new ItemModel([calls("look", { cents: 1 }), calls("pay", { cents: 500 })], [says("ok")]);
      const agent = new Agent({ name: "Pays", model, tools: [pay.tool, look.tool] });
      const work = async () => {
        const result = await run(agent, "go", { stream });
        if (stream) await result.completed;
        return result;
      };
      const runId = newRunId();
      const question = await asked(here(), runId, work);
      expect(question).toMatchObject({ asks: "approval", name: "pay", input: { cents: 500 } });
      expect(question.schema).toMatchObject({ properties: { cents: { type: "number" } } });
      expect([look.inputs, pay.inputs]).toEqual([[{ cents: 1 }], []]);
      await elsewhere().questions.answer(question.id, { approve: true, by: "ana" });
      const result = await elsewhere().run(runId, work);
      expect(outputsOf(result)).toEqual(["look is done", "pay is done"]);
      expect(result.interruptions).toEqual([]);
      expect([look.inputs, pay.inputs]).toEqual([[{ cents: 1 }], [{ cents: 500 }]]);
      expect(model.asked).toHaveLength(2);
    },
  );

  test("arguments that do not fit the tool's schema are asked about by nobody, and the model is told", async () => {
    const wire = tool("wire");
    const model = new ItemModel([calls("wire", { cents: "many" })], [says("ok")]);
    const runId = newRunId();
    const result = await governed
      .here()
      .run(runId, () => run(new Agent({ name: "Wires", model, tools: [wire.tool] }), "go"));
    expect(outputsOf(result)).toEqual([expect.stringContaining("does not fit")]);
    expect(wire.inputs).toEqual([]);
    expect(await governed.here().questions.list({ runId })).toEqual([]);
  });

  test("a call that needs none goes out, and nothing is recorded of a decision", async () => {
    const pay = tool("pay", { needsApproval: dynamic });
    const look = tool("look", { needsApproval: false });
    const model = new ItemModel([calls("look", { cents: 1 }), calls("pay", { cents: 50 })], [says("ok")]);
    const agent = new Agent({ name: "Pays", model, tools: [pay.tool, look.tool] });
    const runId = newRunId();
    const result = await here().run(runId, () => run(agent, "go"));
    expect(outputsOf(result)).toEqual(["look is done", "pay is done"]);
    const intent = (await here().entries(runId)).find(
      (entry) => entry.kind === "intent" && entry.name === "look",
    );
    expect(intent).not.toHaveProperty("decision");
  });

  test("what is not approved is told to the model, with who said so", async () => {
    const pay = tool("pay", { needsApproval: true });
    const model = new ItemModel([calls("pay", { cents: 500 })], [says("ok")]);
    const agent = new Agent({ name: "Pays", model, tools: [pay.tool] });
    const work = () => run(agent, "go");
    const runId = newRunId();
    const { id } = await asked(here(), runId, work);
    await here().questions.answer(id, { approve: false, by: "ana", comment: "wrong customer" });
    const result = await here().run(runId, work);
    expect(outputsOf(result)[0]).toContain("ana did not approve it: wrong customer");
    expect(pay.inputs).toEqual([]);
  });

  test("a call that is approved with other arguments is made with those", async () => {
    const pay = tool("pay", { needsApproval: true });
    const model = new ItemModel([calls("pay", { cents: 500 })], [says("ok")]);
    const agent = new Agent({ name: "Pays", model, tools: [pay.tool] });
    const work = () => run(agent, "go");
    const runId = newRunId();
    const { id } = await asked(here(), runId, work);
    await here().questions.answer(id, { approve: true, input: { cents: 400 }, by: "ana" });
    await here().run(runId, work);
    expect(pay.inputs).toEqual([{ cents: 400 }]);
  });

  test("inside agents as tools the same is asked, and of those tools themselves", async () => {
    const pay = tool("pay", { needsApproval: true });
    const inner = new Agent({
      name: "Inner",
      model: new ItemModel([calls("pay", { cents: 500 })], [says("paid")]),
      tools: [pay.tool],
    });
    const outer = new Agent({
      name: "Outer",
      model: new ItemModel([calls("ask_inner", { input: "q" })], [says("ok")]),
      tools: [inner.asTool({ toolName: "ask_inner", toolDescription: "asks", needsApproval: true })],
    });
    const work = () => run(outer, "go");
    const runId = newRunId();
    const first = await asked(here(), runId, work);
    expect(first).toMatchObject({ name: "ask_inner", input: { input: "q" } });
    expect(inner.model.asked).toHaveLength(0);
    await here().questions.answer(first.id, { approve: true, by: "ana" });
    const second = await asked(elsewhere(), runId, work);
    expect(second).toMatchObject({ name: "pay", input: { cents: 500 } });
    await here().questions.answer(second.id, { approve: true, by: "ana" });
    expect((await here().run(runId, work)).finalOutput).toBe("ok");
    expect(pay.inputs).toHaveLength(1);
    expect([outer.model.asked.length, inner.model.asked.length]).toEqual([2, 2]);
  });

  test("policy asks and denies where the author said nothing", async () => {
    const wire = tool("wire");
    const deletes = tool("delete_all");
    const inner = new Agent({ name: "Inner", model: new ItemModel([says("inner says")]) });
    const asTool = inner.asTool({ toolName: "ask_inner", toolDescription: "asks" });
    const model = new ItemModel(
      [calls("wire", { cents: 1 }), calls("delete_all", { cents: 2 }), calls("ask_inner", { input: "q" })],
      [says("ok")],
    );
    const agent = new Agent({ name: "Governed", model, tools: [wire.tool, deletes.tool, asTool] });
    const work = () => run(agent, "go");
    const runId = newRunId();
    const hf = governed.here();
    await expect(hf.run(runId, work)).rejects.toMatchObject({ code: "RUN_WAITING" });
    const questions = await hf.questions.list({ runId });
    expect(questions.map(({ name }) => name).toSorted()).toEqual(["ask_inner", "wire"]);
    for (const { id } of questions) await hf.questions.answer(id, { approve: true, by: "ana" });
    const outputs = outputsOf(await hf.run(runId, work));
    expect(outputs).toEqual([
      "wire is done",
      expect.stringContaining("nothing is deleted here"),
      "inner says",
    ]);
    expect(deletes.inputs).toEqual([]);
  });

  test("a handoff that policy denies fails the run", async () => {
    const closed = new Agent({ name: "Closed", model: new ItemModel([], [says("never")]) });
    const agent = new Agent({
      name: "Triage",
      model: new ItemModel([calls("transfer_to_Closed")]),
      handoffs: [sdk.handoff(closed)],
    });
    await expect(governed.here().run(newRunId(), () => run(agent, "go"))).rejects.toThrow("it is closed");
    expect(closed.model.asked).toEqual([]);
  });

  test("a shell and an editor are asked about by what they are to do", async () => {
    const acted: unknown[] = [];
    const shell = {
      run: async ({ commands }: { commands: string[] }) => {
        acted.push(...commands);
        return { output: [] };
      },
    };
    const call: Item = {
      type: "shell_call",
      callId: "call_1",
      status: "completed",
      action: { commands: ["rm -r /"] },
    };
    const agent = new Agent({
      name: "Shell",
      model: new ItemModel([call], [says("ok")]),
      tools: [sdk.shellTool({ shell, needsApproval: true })],
    });
    const work = () => run(agent, "go");
    const runId = newRunId();
    const question = await asked(here(), runId, work);
    expect(question).toMatchObject({ name: "shell", input: { commands: ["rm -r /"] } });
    expect(acted).toEqual([]);
    await here().questions.answer(question.id, { approve: true, by: "ana" });
    await here().run(runId, work);
    expect(acted).toEqual(["rm -r /"]);
  });

  test.each([
    ["always", true],
    ["for some arguments", dynamic],
  ])(
    "arguments that are no JSON are told to the model, and nobody is asked about them, of a tool asked about %s",
    async (_, needsApproval) => {
      const pay = tool("pay", { needsApproval });
      const look = tool("look", { needsApproval: dynamic }); // so that the calls of the answer are decided
      const broken = { ...calls("pay"), arguments: "{cents:" };
      const model = new ItemModel([broken, calls("look", { cents: 1 })], [says("ok")]);
      const agent = new Agent({ name: "Broken", model, tools: [pay.tool, look.tool] });
      const runId = newRunId();
      const result = await here().run(runId, () => run(agent, "go"));
      expect(result.finalOutput).toBe("ok");
      expect(result.interruptions).toEqual([]);
      expect(pay.inputs).toEqual([]);
      expect((await here().entries(runId)).filter(({ kind }) => kind === "question")).toEqual([]);
    },
  );

  test("while somebody is asked, the tool's own time does not run", async () => {
    const asks = Promise.withResolvers<void>();
    const pay = tool("pay", { timeoutMs: 5, needsApproval: true });
    const runId = newRunId();
    const look = tool("look", {
      // A sibling that is under way is waited for: far longer than the other one's time.
      execute: async () => {
        await expect.poll(() => elsewhere().questions.list({ runId })).toHaveLength(1);
        await new Promise((resolve) => setTimeout(resolve, 30));
        asks.resolve();
        return "seen";
      },
    });
    const model = new ItemModel([calls("pay", { cents: 5 }), calls("look", { cents: 1 })], [says("ok")]);
    const agent = new Agent({ name: "Patient", model, tools: [pay.tool, look.tool] });
    const ended: string[] = [];
    agent.on("agent_tool_end", (_: unknown, { name }: { name: string }) => ended.push(name));
    await expect(here().run(runId, () => run(agent, "go"))).rejects.toMatchObject({ code: "RUN_WAITING" });
    await asks.promise;
    expect(ended).toEqual(["look"]);
  });

  test("outside a run the SDK asks as it did", async () => {
    const pay = tool("pay", { needsApproval: true });
    const paying = new Agent({
      name: "Pays",
      model: new ItemModel([calls("pay", { cents: 500 })], [says("ok")]),
      tools: [pay.tool],
    });
    const inner = new Agent({ name: "Inner", model: new ItemModel([says("in")]) });
    const asking = new Agent({
      name: "Asks",
      model: new ItemModel([calls("ask_inner", { input: "q" })], [says("ok")]),
      tools: [inner.asTool({ toolName: "ask_inner", toolDescription: "asks", needsApproval: true })],
    });
    for (const agent of [paying, asking]) {
      await asked(here(), newRunId(), () => run(agent, "go"));
      expect((await run(agent, "go")).interruptions).toHaveLength(1);
    }
    expect(pay.inputs).toEqual([]);
    expect(inner.model.asked).toEqual([]);
  });

  test("a state that the SDK interrupted outside goes on in a run, its tools held", async () => {
    const pay = tool("pay", { needsApproval: true });
    const model = new ItemModel([calls("pay", { cents: 500 })], [says("ok")]);
    const agent = new Agent({ name: "Pays", model, tools: [pay.tool] });
    const { state, interruptions } = await run(agent, "go");
    state.approve(interruptions[0]);
    const saved = state.toString();
    const work = async () => await run(agent, await sdk.RunState.fromString(agent, saved));
    const runId = newRunId();
    const results = [await here().run(runId, work), await elsewhere().run(runId, work)];
    expect(results.map(({ finalOutput }) => finalOutput)).toEqual(["ok", "ok"]);
    expect(pay.inputs).toHaveLength(1);
  });
});
