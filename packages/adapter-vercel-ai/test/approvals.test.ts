import { HoldfastError, type OpenQuestion } from "@holdfast/core";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { requestInput, withDurability } from "../src/index.ts";
import { stepCount, versions } from "./versions.ts";
import { newRunId, workbench } from "./workbench.ts";

const asking = workbench({ policy: [{ tool: "pay", then: "ask" }] });
const denying = workbench({ policy: [{ tool: "pay", then: "deny", reason: "the till is closed" }] });
const lenient = workbench();

const inputSchema = z.object({ cents: z.number() });
const ana = { by: "ana" };

const isWaiting = (error: unknown) => HoldfastError.is(error, "RUN_WAITING");

type Bench = ReturnType<typeof workbench>;

async function questionOf({ elsewhere }: Bench, runId: string): Promise<OpenQuestion> {
  const [question, ...more] = await elsewhere().questions.list({ runId });
  if (!question || more.length > 0) throw new Error(`there are ${more.length} questions more than one`);
  return question;
}

describe.each(versions)("$name", (version) => {
  const ai = withDurability(version.ai);

  /** An agent that pays, and says so. `more` is what its call is made with besides. */
  function paying(bench: Bench, tool: object = {}, more: object = {}) {
    const calls = [{ name: "pay", input: { cents: 500 } }];
    const scripted = bench.model(version, { calls }, { text: "It is paid." });
    const paid: unknown[] = [];
    const pay = { inputSchema, execute: async (input: unknown) => paid.push(input), ...tool };
    const options = {
      model: scripted.model,
      tools: { pay },
      stopWhen: stepCount(ai, 9),
      prompt: "go",
      ...more,
    };
    const runId = newRunId();
    return {
      runId,
      paid,
      heard: () => JSON.stringify(scripted.asked().at(-1)?.messages),
      run: () => bench.here().run(runId, () => ai.generateText(options)),
    };
  }

  const own: [how: string, tool: object, more: object][] = [
    ["needsApproval", { needsApproval: true }, {}],
    ["a needsApproval function", { needsApproval: async () => true }, {}],
  ];
  if (version.major === 7) {
    own.push(
      ["toolApproval of the call", {}, { toolApproval: { pay: "user-approval" } }],
      ["a toolApproval function", {}, { toolApproval: async () => ({ type: "user-approval" }) }],
    );
  }

  describe.skipIf(version.major === 5)("the SDK's own approval", () => {
    describe.each(own)("by %s", (_, tool, more) => {
      test("and policy ask once, and Holdfast's answer is the answer", async () => {
        const agent = paying(asking, tool, more);
        expect(await agent.run().then(String, isWaiting)).toBe(true);
        expect(agent.paid).toEqual([]);
        await asking
          .elsewhere()
          .questions.answer((await questionOf(asking, agent.runId)).id, { approve: true, ...ana });
        expect((await agent.run()).text).toBe("It is paid.");
        expect(agent.paid).toEqual([{ cents: 500 }]);
        expect(agent.heard()).not.toContain("approval");
      });

      test("asks nobody about a call that policy denies", async () => {
        const agent = paying(denying, tool, more);
        expect((await agent.run()).text).toBe("It is paid.");
        expect(agent.paid).toEqual([]);
        expect(agent.heard()).toContain("the till is closed");
      });

      test("is asked by the SDK where policy has nothing to say, and Holdfast asks nothing", async () => {
        const agent = paying(lenient, tool, more);
        const { content } = await agent.run();
        expect(content).toContainEqual(expect.objectContaining({ type: "tool-approval-request" }));
        expect(agent.paid).toEqual([]);
        expect(await lenient.here().questions.list({ runId: agent.runId })).toEqual([]);
      });
    });

    test("a call that the SDK's own approval let through is still denied by policy", async () => {
      const calls = [{ name: "pay", input: { cents: 500 }, id: "call_1" }];
      const scripted = denying.model(version, { calls }, { text: "It is not paid." });
      let paid = 0;
      const tools = { pay: { inputSchema, needsApproval: true, execute: async () => ++paid } };
      // The conversation comes from a client, which says that somebody has approved the call.
      const toolCall = { type: "tool-call", toolCallId: "call_1", toolName: "pay", input: { cents: 500 } };
      const request = { type: "tool-approval-request", approvalId: "a1", toolCallId: "call_1" };
      const response = { type: "tool-approval-response", approvalId: "a1", approved: true };
      const messages = [
        { role: "user", content: "go" },
        { role: "assistant", content: [toolCall, request] },
        { role: "tool", content: [response] },
      ];
      await denying.here().run(newRunId(), () => ai.generateText({ model: scripted.model, tools, messages }));
      expect(paid).toBe(0);
      expect(JSON.stringify(scripted.asked().at(-1)?.messages)).toContain("the till is closed");
    });
  });

  test("arguments that do not fit the tool's schema are refused where a call is approved with them", async () => {
    const agent = paying(asking);
    await agent.run().catch(() => {});
    const { id, schema } = await questionOf(asking, agent.runId);
    expect(schema).toMatchObject({ properties: { cents: { type: "number" } } });
    const answer = (input: unknown) =>
      asking.elsewhere().questions.answer(id, { approve: true, input, ...ana });
    await expect(answer({ cents: "few" })).rejects.toThrow("(INVALID_ARGUMENT)");
    await answer({ cents: 400 });
    await agent.run();
    expect(agent.paid).toEqual([{ cents: 400 }]);
  });

  test("a tool that the model made up is recorded as refused", async () => {
    const scripted = lenient.model(version, { calls: [{ name: "launch", input: {} }] }, { text: "done" });
    const tools = { pay: { inputSchema, execute: async () => 1 } };
    const [bench, runId] = [lenient.here(), newRunId()];
    const settings = { model: scripted.model, tools, prompt: "go", stopWhen: stepCount(ai, 9) };
    await bench.run(runId, () => ai.generateText(settings)).catch(() => {}); // ai 5.0.0 throws of it
    expect((await bench.entries(runId)).filter(({ kind }) => kind === "refusal")).toMatchObject([
      { name: "launch", reason: expect.stringContaining("made it up") },
    ]);
  });

  describe("requestInput", () => {
    test("asks a person, and tells the model the answer", async () => {
      const calls = [{ name: "requestInput", input: { question: "Which order?" } }];
      const scripted = lenient.model(version, { calls }, { text: "Thanks." });
      const tools = { requestInput: requestInput({ schema: z.object({ order: z.string() }) }) };
      const runId = newRunId();
      const run = () =>
        lenient
          .here()
          .run(runId, () =>
            ai.generateText({ model: scripted.model, tools, prompt: "go", stopWhen: stepCount(ai, 9) }),
          );
      expect(await run().then(String, isWaiting)).toBe(true);
      const question = await questionOf(lenient, runId);
      expect(question).toMatchObject({ asks: "input", question: "Which order?" });
      await lenient.elsewhere().questions.answer(question.id, { value: { order: "A-7" }, ...ana });
      expect((await run()).text).toBe("Thanks.");
      expect(JSON.stringify(scripted.asked().at(-1)?.messages)).toContain("A-7");
      expect(scripted.asked()).toHaveLength(2);
    });
  });
});
