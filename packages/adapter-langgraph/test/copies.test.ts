import { createRequire } from "node:module";
import { AIMessage, type BaseMessage } from "@langchain/core/messages";
import { MessagesAnnotation, START, StateGraph } from "@langchain/langgraph";
import { loadMcpTools } from "@langchain/mcp-adapters";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { InMemoryTransport } from "@modelcontextprotocol/sdk/inMemory.js";
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { withDurability } from "../src/index.ts";
import { lastText, textOf } from "./graphs.ts";
import { version } from "./version.ts";
import { newThread, workbench } from "./workbench.ts";

const { here } = workbench({ tools: { "*": { effect: "read" } } });
const isOldest = version.endsWith("1.0.1");
const input = { messages: [{ role: "user", content: "Go." }] };

/** What the tests use of whichever copy of @langchain/core. */
interface Copy {
  readonly FakeListChatModel: new (fields: {
    responses: string[];
  }) => {
    invoke(messages: BaseMessage[]): Promise<BaseMessage>;
    /** Which response is next. */
    readonly i: number;
  };
}

/** A graph of one node that calls what it is given. */
const calling = (call: (messages: BaseMessage[]) => Promise<BaseMessage>) =>
  withDurability(
    new StateGraph(MessagesAnnotation)
      .addNode("work", async ({ messages }) => ({ messages: [await call(messages)] }))
      .addEdge(START, "work")
      .compile(),
    { holdfast: here() },
  );

const observed = async (thread: ReturnType<typeof newThread>) =>
  (await here().entries(`${thread.configurable.thread_id}#1`)).flatMap((entry) =>
    entry.kind === "observation" ? [`${entry.call} ${entry.name}`] : [],
  );

describe(`a copy of @langchain/core beside the one of ${version}`, () => {
  test("is reached where it is CommonJS, even if graphs have run before it was loaded", async () => {
    await calling(async () => new AIMessage("hello")).invoke(input, newThread());
    const { FakeListChatModel } = createRequire(import.meta.url)("@langchain/core/utils/testing") as Copy;
    const model = new FakeListChatModel({ responses: ["hello"] });
    const thread = newThread();
    expect(lastText(await calling((messages) => model.invoke(messages)).invoke(input, thread))).toBe("hello");
    expect(await observed(thread)).toContainEqual(expect.stringMatching(/^model /));
  });

  // Where the tests run on the oldest LangGraph, its copy and the newest one are both found.
  test.skipIf(isOldest)(
    "that is not reached calls no model: its call is refused, and the run fails",
    async () => {
      const path = `./oldest/node_modules/@langchain/core/dist/utils/testing/index.js`;
      const { FakeListChatModel } = (await import(new URL(path, import.meta.url).href)) as Copy;
      const model = new FakeListChatModel({ responses: ["hello", "again"] });
      const thread = newThread();
      const called = calling((messages) => model.invoke(messages)).invoke(input, thread);
      await expect(called).rejects.toThrow("(UNHELD_CALL)");
      expect(model.i).toBe(0);
      const { status } = await here().runs.get(`${thread.configurable.thread_id}#1`);
      expect(status).toBe("failed");
    },
  );

  test.skipIf(isOldest)(
    "that is not reached fails the run even where the node makes light of it",
    async () => {
      const path = `./oldest/node_modules/@langchain/core/dist/utils/testing/index.js`;
      const { FakeListChatModel } = (await import(new URL(path, import.meta.url).href)) as Copy;
      const model = new FakeListChatModel({ responses: ["hello"] });
      const instead = { role: "ai", content: "never mind" } as unknown as BaseMessage;
      const called = calling((messages) => model.invoke(messages).catch(() => instead)).invoke(
        input,
        newThread(),
      );
      await expect(called).rejects.toThrow("(UNHELD_CALL)");
    },
  );
});

describe.skipIf(isOldest)("tools of an MCP server (its adapters need LangGraph 1.4)", () => {
  test("are held, with their artifacts", async () => {
    const asked: unknown[] = [];
    const server = new McpServer({ name: "stock", version: "1.0.0" });
    server.registerTool("count", { inputSchema: { item: z.string() } }, ({ item }) => {
      asked.push(item);
      return { content: [{ type: "text", text: `12 ${item}s` }] };
    });
    const [ours, theirs] = InMemoryTransport.createLinkedPair();
    const client = new Client({ name: "test", version: "1.0.0" });
    await Promise.all([server.connect(theirs), client.connect(ours)]);
    const [count] = await loadMcpTools("stock", client as never);
    const thread = newThread();
    const call = { type: "tool_call" as const, id: "call_1", name: "count", args: { item: "kettle" } };
    const state = await calling(() => count?.invoke(call) as Promise<BaseMessage>).invoke(input, thread);
    expect(textOf(state.messages.at(-1))).toBe("12 kettles");
    expect(await observed(thread)).toContain("tool count");
    expect(asked).toEqual(["kettle"]);
    await client.close();
  });
});
