import type { BaseChatModel } from "@langchain/core/language_models/chat_models";
import type { BaseMessage } from "@langchain/core/messages";
import { type StructuredToolInterface, tool } from "@langchain/core/tools";
import { type BaseCheckpointSaver, END, MessagesAnnotation, START, StateGraph } from "@langchain/langgraph";
import { createReactAgent, ToolNode } from "@langchain/langgraph/prebuilt";
import { createAgent } from "langchain";

export interface Parts {
  readonly model: BaseChatModel;
  readonly tools: StructuredToolInterface[];
  readonly checkpointer?: BaseCheckpointSaver | undefined;
}

export type CompiledMessagesGraph = ReturnType<typeof handWritten>;

/** A model node and a tool node, as people write them by hand. The model is in a closure. */
export function handWritten({ model, tools, checkpointer }: Parts) {
  const bound = model.bindTools?.(tools) ?? model;
  const asksForTools = ({ messages }: { messages: BaseMessage[] }) =>
    (messages.at(-1) as { tool_calls?: unknown[] }).tool_calls?.length ? "tools" : END;
  return new StateGraph(MessagesAnnotation)
    .addNode("agent", async ({ messages }) => ({ messages: [await bound.invoke(messages)] }))
    .addNode("tools", new ToolNode(tools))
    .addEdge(START, "agent")
    .addConditionalEdges("agent", asksForTools, ["tools", END])
    .addEdge("tools", "agent")
    .compile(checkpointer ? { checkpointer } : {});
}

/** Agents in each of LangGraph's idioms. They take and give messages alike. */
export const idioms: Readonly<Record<string, (parts: Parts) => CompiledMessagesGraph>> = {
  StateGraph: handWritten,
  createReactAgent: ({ model, tools, checkpointer }) =>
    createReactAgent({ llm: model, tools, ...(checkpointer ? { checkpointer } : {}) }) as never,
  createAgent: ({ model, tools, checkpointer }) =>
    createAgent({ model, tools, ...(checkpointer ? { checkpointer } : {}) }) as never,
};

/** A tool that takes any record, and gives what `does` returns as JSON. */
export const toolOf = (name: string, does: (input: never) => unknown): StructuredToolInterface =>
  tool(async (input) => JSON.stringify(await does(input as never)), {
    name,
    description: name,
    schema: { type: "object", properties: {}, additionalProperties: true },
  });

/** The text of the last message. */
export const lastText = ({ messages }: { messages: BaseMessage[] }): string => textOf(messages.at(-1));

export const textOf = (message: BaseMessage | undefined): string =>
  typeof message?.content === "string" ? message.content : JSON.stringify(message?.content);
