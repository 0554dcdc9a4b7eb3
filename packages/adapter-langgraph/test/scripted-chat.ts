import type { CallbackManagerForLLMRun } from "@langchain/core/callbacks/manager";
import { BaseChatModel } from "@langchain/core/language_models/chat_models";
import { AIMessage, AIMessageChunk, type BaseMessage } from "@langchain/core/messages";
import { ChatGenerationChunk, type ChatResult } from "@langchain/core/outputs";
import { RunnableLambda } from "@langchain/core/runnables";

/** What the model says in one turn: a text, or tool calls. */
export interface Turn {
  readonly text?: string;
  readonly calls?: readonly { readonly name: string; readonly input: unknown; readonly id?: string }[];
  /** So many requests of the turn fail. */
  readonly fails?: number;
}

/**
 * A chat model with a script. How many answers the conversation holds already decides which turn is next. Tool call ids are
 * random unless the script gives one, so that a repeated call is never mistaken for a recorded one.
 */
export class ScriptedChat extends BaseChatModel {
  readonly turns: readonly Turn[];
  readonly asked: BaseMessage[][];
  readonly model: string;
  /** Tools that it was told of, by name. */
  readonly tools: readonly string[];
  readonly #failures = new Map<Turn, number>();

  constructor(
    turns: readonly Turn[],
    bound: { asked?: BaseMessage[][]; tools?: readonly string[]; model?: string } = {},
  ) {
    super({});
    this.turns = turns;
    this.asked = bound.asked ?? [];
    this.tools = bound.tools ?? [];
    this.model = bound.model ?? `scripted-${crypto.randomUUID()}`;
  }

  override _llmType(): string {
    return "scripted";
  }

  override getLsParams(options: never) {
    return { ...super.getLsParams(options), ls_max_tokens: 1000 };
  }

  override invocationParams() {
    return { model: this.model, tools: this.tools } as never;
  }

  override bindTools(tools: { name?: string }[]): never {
    const names = tools.map(({ name }) => name ?? "");
    // As providers do: a model of its own, which the one that was given knows nothing of.
    return new ScriptedChat(this.turns, { asked: this.asked, tools: names, model: this.model }) as never;
  }

  override withStructuredOutput(): never {
    return this.pipe(RunnableLambda.from((message: BaseMessage) => JSON.parse(message.text))) as never;
  }

  override async _generate(messages: BaseMessage[]): Promise<ChatResult> {
    const message = new AIMessage(answer(this.#next(messages)) as never);
    return { generations: [{ message, text: message.text }] };
  }

  override async *_streamResponseChunks(
    messages: BaseMessage[],
    _options: unknown,
    manager?: CallbackManagerForLLMRun,
  ): AsyncGenerator<ChatGenerationChunk> {
    const { content, tool_calls, usage_metadata } = answer(this.#next(messages));
    const pieces: { text: string; fields: object }[] = [
      ...(content.match(/\S+\s*/g) ?? []).map((text) => ({ text, fields: {} })),
      ...tool_calls.map(({ id, name, args }, index) => {
        const call = { type: "tool_call_chunk", index, id, name, args: JSON.stringify(args) };
        return { text: "", fields: { tool_call_chunks: [call] } };
      }),
      { text: "", fields: { usage_metadata } },
    ];
    for (const { text, fields } of pieces) {
      const message = new AIMessageChunk({ content: text, ...fields });
      const chunk = new ChatGenerationChunk({ message, text });
      yield chunk;
      await manager?.handleLLMNewToken(text, undefined, undefined, undefined, undefined, { chunk });
    }
  }

  #next(messages: BaseMessage[]): Turn {
    this.asked.push(messages);
    const turn = this.turns[messages.filter((message) => message.getType() === "ai").length];
    if (!turn) throw new Error(`there is no turn ${this.asked.length}`);
    const failed = this.#failures.get(turn) ?? 0;
    if (failed >= (turn.fails ?? 0)) return turn;
    this.#failures.set(turn, failed + 1);
    throw new Error("busy");
  }
}

function answer({ text = "", calls = [] }: Turn) {
  return {
    content: text,
    tool_calls: calls.map(({ name, input, id = `call_${crypto.randomUUID()}` }) => {
      return { type: "tool_call" as const, id, name, args: input as Record<string, unknown> };
    }),
    usage_metadata: {
      input_tokens: 100,
      output_tokens: 20,
      total_tokens: 120,
      input_token_details: { cache_read: 40 },
    },
  };
}
