import type { BaseChatModel } from "@langchain/core/language_models/chat_models";
import type { StructuredToolInterface } from "@langchain/core/tools";
import type { BaseCheckpointSaver } from "@langchain/langgraph";

/** What the tests use of langchain: see tsconfig.json. */
export function humanInTheLoopMiddleware(options: { interruptOn: Readonly<Record<string, unknown>> }): object;
export function createAgent(options: {
  model: BaseChatModel;
  tools: StructuredToolInterface[];
  checkpointer?: BaseCheckpointSaver;
  middleware?: object[];
  systemPrompt?: string;
}): object;
