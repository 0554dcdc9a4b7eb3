import { tool } from "@langchain/core/tools";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { withDurability } from "../src/index.ts";
import { toldTools } from "../src/told-tools.ts";
import { idioms, lastText } from "./graphs.ts";
import { ScriptedChat } from "./scripted-chat.ts";
import { newThread, workbench } from "./workbench.ts";

const schema = { type: "object", properties: { cents: { type: "number" } }, required: ["cents"] };

test.each([
  ["OpenAI's chat", [{ type: "function", function: { name: "pay", parameters: schema } }], schema],
  ["OpenAI's responses", [{ type: "function", name: "pay", parameters: schema }], schema],
  ["Anthropic", [{ name: "pay", input_schema: schema }], schema],
  ["Google", [{ functionDeclarations: [{ name: "pay", parameters: { type: "OBJECT" } }] }], undefined],
])("a request as %s takes it says which tools there are", (_, tools, expected) => {
  expect([...(toldTools({ tools }) ?? [])]).toEqual([["pay", expected]]);
});

test.each([
  ["no tools", {}],
  ["no tool in its list", { tools: [] }],
  ["a tool without a name", { tools: [{ name: "pay" }, { type: "web_search" }] }],
  ["names alone", { tools: ["pay"] }],
  ["nothing", undefined],
])("a request with %s says nothing of others", (_, params) => {
  expect(toldTools(params)).toBeUndefined();
});

/** A model that says what it is told of, as OpenAI's does. */
class Told extends ScriptedChat {
  override invocationParams() {
    const tools = [{ type: "function", function: { name: "pay", parameters: schema } }];
    return { model: this.model, tools } as never;
  }
  override bindTools(): never {
    return this as never;
  }
}

const asking = workbench({ policy: [{ tool: "pay", then: "ask" }] });

describe.each(Object.entries(idioms))("of %s", (_, make) => {
  const paid: unknown[] = [];
  const pay = tool(async (input) => JSON.stringify(paid.push(input)), {
    name: "pay",
    description: "pay",
    schema: z.object({ cents: z.number() }),
  });
  const run = async (call: { name: string; input: unknown }) => {
    const graph = make({ model: new Told([{ calls: [call] }, { text: "done" }]), tools: [pay] });
    const thread = newThread();
    const app = withDurability(graph, { holdfast: asking.here() });
    const state = await app
      .invoke({ messages: [{ role: "user", content: "Go." }] }, thread)
      .catch(() => undefined); // createAgent of langchain 1.0.1 throws of a tool that is not there
    const runId = `${thread.configurable.thread_id}#1`;
    return { state, runId, entries: await asking.here().entries(runId) };
  };

  test("a tool that the model made up is recorded as refused", async () => {
    const { entries } = await run({ name: "launch", input: {} });
    expect(entries.filter(({ kind }) => kind === "refusal")).toMatchObject([
      { name: "launch", reason: expect.stringContaining("made it up") },
    ]);
  });

  test("arguments that do not fit the tool's schema are asked about by nobody, and the model is told", async () => {
    const { state, entries } = await run({ name: "pay", input: { cents: "many" } });
    expect(state && lastText(state)).toBe("done");
    expect(paid).toEqual([]);
    expect(entries.filter(({ kind }) => kind === "question")).toEqual([]);
  });

  test("a question has the schema that changed arguments must fit", async () => {
    const { runId } = await run({ name: "pay", input: { cents: 5 } });
    expect(await asking.here().questions.list({ runId })).toMatchObject([{ schema }]);
  });
});
