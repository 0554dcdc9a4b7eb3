import { AIMessage } from "@langchain/core/messages";
import {
  Annotation,
  Command,
  interrupt,
  MemorySaver,
  MessagesAnnotation,
  START,
  StateGraph,
} from "@langchain/langgraph";
import { ToolNode } from "@langchain/langgraph/prebuilt";
import { describe, expect, test } from "vitest";
import { whileRunning } from "../src/checkpointer.ts";
import type { Checkpointer } from "../src/graph.ts";
import { withDurability } from "../src/index.ts";
import { handWritten, lastText, toolOf } from "./graphs.ts";
import { ScriptedChat } from "./scripted-chat.ts";
import { newThread, workbench } from "./workbench.ts";

const policy = [{ name: "money", tool: "wire", then: "ask", reason: "it moves money" }] as const;
const { here } = workbench({ policy });
const input = { messages: [{ role: "user", content: "Go." }] };

const intentsOf = async ({ configurable }: ReturnType<typeof newThread>, tool: string) =>
  (await here().entries(`${configurable.thread_id}#1`)).flatMap((entry) =>
    entry.kind === "intent" && entry.name === tool ? [entry] : [],
  );

describe("a tool call", () => {
  test("whose arguments somebody changed before it went out is on record with those", async () => {
    const paid: unknown[] = [];
    const model = new ScriptedChat([
      { calls: [{ name: "pay", input: { cents: 500 }, id: "c1" }] },
      { text: "ok" },
    ]);
    const tools = [toolOf("pay", (input) => paid.push(input))];
    const app = withDurability(handWritten({ model, tools }), { holdfast: here() });
    const thread = newThread();
    const { messages } = await app.invoke(input, { ...thread, interruptBefore: ["tools"] });
    const id = messages.at(-1)?.id as string;
    const tool_calls = [{ type: "tool_call" as const, id: "c1", name: "pay", args: { cents: 400 } }];
    await app.updateState(thread, { messages: [new AIMessage({ id, content: "", tool_calls })] });
    expect(lastText(await app.invoke(null, thread))).toBe("ok");
    expect(paid).toEqual([{ cents: 400 }]);
    expect(await intentsOf(thread, "pay")).toEqual([expect.objectContaining({ input: { cents: 400 } })]);
  });

  test("is one of the answer that its node was given, where two answers gave the same id", async () => {
    const model = new ScriptedChat([{ calls: [{ name: "pay", input: {}, id: "same" }] }]);
    const graph = new StateGraph(MessagesAnnotation)
      .addNode("ask", async ({ messages }) => {
        const first = await model.invoke(messages);
        await model.invoke([...messages, ...messages]); // and thinks better of it
        return { messages: [first] };
      })
      .addNode("tools", new ToolNode([toolOf("pay", () => "paid")]))
      .addEdge(START, "ask")
      .addEdge("ask", "tools")
      .compile();
    const thread = newThread();
    await withDurability(graph, { holdfast: here() }).invoke(input, thread);
    const [intent] = await intentsOf(thread, "pay");
    expect(intent?.step).toContain("model#0");
  });
});

describe("a command that answers a question of Holdfast", () => {
  test("answers no interrupt() that a node beside it makes", async () => {
    const said: unknown[] = [];
    const wired: unknown[] = [];
    const State = Annotation.Root({ n: Annotation<number>({ reducer: (a, b) => a + b, default: () => 0 }) });
    const wire = toolOf("wire", () => wired.push("wired"));
    const graph = new StateGraph(State)
      .addNode("wire", async () => {
        await wire.invoke({});
        return { n: 1 };
      })
      .addNode("name", () => {
        said.push(interrupt("What is its name?"));
        return { n: 1 };
      })
      .addEdge(START, "wire")
      .addEdge(START, "name")
      .compile();
    const app = withDurability(graph, { holdfast: here() });
    const thread = newThread();
    await app.invoke({ n: 0 }, thread);
    const stopped = await app.invoke(new Command({ resume: true }), thread);
    expect([wired, said]).toEqual([["wired"], []]);
    expect(stopped).toMatchObject({ __interrupt__: [{ value: "What is its name?" }] });
    await app.invoke(new Command({ resume: "Kettle" }), thread);
    expect([wired, said]).toEqual([["wired"], ["Kettle"]]);
  });
});

describe("a checkpointer of the user's", () => {
  test("is written nothing of a run that has stopped", async () => {
    const checkpointer = new MemorySaver();
    const model = new ScriptedChat([{ calls: [{ name: "wire", input: {} }] }, { text: "ok" }]);
    const graph = handWritten({ model, tools: [toolOf("wire", () => "wired")], checkpointer });
    const thread = newThread();
    // All would be saved as the graph winds up.
    const stopped = await withDurability(graph, { holdfast: here() }).invoke(input, {
      ...thread,
      durability: "exit",
    });
    expect(stopped).toHaveProperty("__interrupt__");
    expect(await checkpointer.getTuple(thread)).toBeUndefined();
  });

  test("gives two forks of a thread different versions", () => {
    const saver = whileRunning(new MemorySaver() as unknown as Checkpointer, new AbortController().signal);
    const versions = [saver.getNextVersion(3), saver.getNextVersion(3)].map(Number);
    expect(versions.map(Math.floor)).toEqual([4, 4]);
    expect(new Set(versions).size).toBe(2);
  });
});
