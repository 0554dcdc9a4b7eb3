import { Document } from "@langchain/core/documents";
import { AIMessage, AIMessageChunk, type BaseMessage, ToolMessage } from "@langchain/core/messages";
import { Command, Send } from "@langchain/langgraph";
import { describe, expect, test } from "vitest";
import { fromKept, toKept } from "../src/kept.ts";

/** As the ledger gives it back. */
const kept = (value: unknown): unknown => fromKept(JSON.parse(JSON.stringify(toKept(value))));

describe("what is kept comes back", () => {
  const document = { pageContent: "A kettle.", metadata: { page: 1 }, id: "d1" };
  /** As a bundler leaves it, or another copy of LangChain has it. */
  const Mangled = class a {
    pageContent = document.pageContent;
    metadata = document.metadata;
    id = document.id;
  };

  test.each([
    ["a document", new Document(document)],
    ["a document whose class has another name", new Mangled()],
  ])("as a document where it is %s", (_, given) => {
    const [read] = kept([given]) as [Document];
    expect(read).toBeInstanceOf(Document);
    const { pageContent, metadata, id } = read;
    expect({ pageContent, metadata, id }).toEqual(document);
  });

  test("as data where data looks like a document", () => {
    expect(kept({ ...document })).toEqual(document);
    expect(kept({ ...document })).not.toBeInstanceOf(Document);
  });

  test("as a message of its class, its parts too", () => {
    const answer = new AIMessage({
      id: "m1",
      content: "yes",
      tool_calls: [{ id: "c", name: "look", args: { n: 1 } }],
    });
    expect(kept(answer)).toBeInstanceOf(AIMessage);
    expect(toKept(kept(answer))).toEqual(toKept(answer));
    const artifact = [new Document(document)];
    const result = new ToolMessage({ content: "12", tool_call_id: "c", artifact });
    expect((kept(result) as ToolMessage).artifact).toEqual(artifact);
  });

  test("as a whole message where it came in pieces", () => {
    const read = kept(new AIMessageChunk({ id: "m1", content: "yes" })) as BaseMessage;
    expect([read.getType(), read.content]).toEqual(["ai", "yes"]);
  });

  test("as a command with all that it says", () => {
    const command = new Command({
      update: { messages: [new AIMessage("yes")] },
      goto: [new Send("node", { n: 1 })],
    });
    const { update, goto } = kept(command) as Command<unknown, { messages: AIMessage[] }>;
    expect(update).toEqual({ messages: [expect.any(AIMessage)] });
    expect(goto).toEqual([new Send("node", { n: 1 })]);
  });

  test("as the data that it is where it has our tag", () => {
    expect(kept({ $lc: "message", type: "ai" })).toEqual({ $lc: "message", type: "ai" });
  });
});

test("an instance of another class is left as it is: what cannot be kept is for the ledger to say", () => {
  class Page extends Document {
    readonly number = 1;
  }
  const page = new Page({ pageContent: "A kettle." });
  expect(toKept(page)).toBe(page);
});
