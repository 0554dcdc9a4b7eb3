import { type Live, type Outlet, openOutlet, type Port } from "@holdfast/core";
import { AIMessageChunk } from "@langchain/core/messages";
import { ChatGenerationChunk } from "@langchain/core/outputs";
import type { CallOptions, ChatModel } from "./chat-model.ts";
import type { Message } from "./kept.ts";
import { type Answer, capped, keptAnswer, modelCall, readAnswer } from "./model-request.ts";
import { messagesOf, modelOf } from "./set.ts";
import { shadowOf } from "./shadow.ts";
import { unlessStopped } from "./stop.ts";
import { unannounced } from "./watchdog.ts";

/** What providers implement, and LangChain calls in the end. */
export interface Provider extends ChatModel {
  readonly _generate: Ask<Promise<Answer>>;
  readonly _streamResponseChunks: Ask<AsyncGenerator<Chunk>>;
  readonly _streamChatModelEvents?: Ask<AsyncGenerator<unknown>>;
}

type Ask<T> = (messages: readonly unknown[], options: CallOptions, manager?: Manager) => T;

interface Manager {
  handleLLMNewToken(token: string, at: object, ...more: unknown[]): Promise<unknown>;
}

interface Chunk {
  readonly message: Message;
  readonly text: string;
  readonly generationInfo?: unknown;
  concat(chunk: Chunk): Chunk;
}

/** The same model, its calls held. `base` is the class of LangChain that it extends: it says what is not overridden. */
export function holdModel<M extends Provider>(model: M, port: Port, base: Provider): M {
  const by = modelOf(port, model);
  const asked = (messages: readonly unknown[], options: CallOptions) =>
    messagesOf(port, { own: model, by }, messages, options);
  const streams = by._streamResponseChunks !== base._streamResponseChunks;
  const held: M = shadowOf(model, {
    _generate: async (messages: readonly unknown[], options: CallOptions, manager?: Manager) =>
      await generate(by, port, asked(messages, options), options, manager),
    _streamResponseChunks: streams
      ? (messages: readonly unknown[], options: CallOptions, manager?: Manager) =>
          stream(by, port, asked(messages, options), options, manager)
      : base._streamResponseChunks,
    // Events are made of chunks: what a provider makes of its own stream says the same.
    _streamChatModelEvents: streams
      ? (...args: [readonly unknown[], CallOptions, Manager?]) =>
          base._streamChatModelEvents?.apply(held, args)
      : base._streamChatModelEvents,
  });
  return held;
}

async function generate(
  model: Provider,
  port: Port,
  messages: readonly unknown[],
  options: CallOptions,
  manager?: Manager,
): Promise<Answer> {
  const call = modelCall(port, model, messages, options);
  const step = port.step(call, async ({ key, signal, maxOutputTokens }) => {
    const asked = capped({ model, options }, maxOutputTokens);
    const answering = () => asked.model._generate(messages, { ...asked.options, signal }, manager);
    return keptAnswer(await unannounced(answering), key);
  });
  return readAnswer(await unlessStopped(port, step));
}

async function* stream(
  model: Provider,
  port: Port,
  messages: readonly unknown[],
  options: CallOptions,
  manager?: Manager,
): AsyncGenerator<Chunk> {
  const call = modelCall(port, model, messages, options);
  const begun = await unlessStopped(port, port.begin(call));
  if (begun.at === "recorded") {
    for (const { message } of readAnswer(begun.value).generations) {
      const chunk = chunkOf(message as Message);
      yield chunk;
      const at = { prompt: options.promptIndex ?? 0, completion: 0 };
      await manager?.handleLLMNewToken(chunk.text, at, undefined, undefined, undefined, { chunk });
    }
    return;
  }
  const outlet = openOutlet<Chunk>();
  const asked = capped({ model, options }, begun.maxOutputTokens);
  const pumped = pump(begun, outlet, () =>
    asked.model._streamResponseChunks(messages, { ...asked.options, signal: begun.signal }, manager),
  );
  port.keep(pumped); // read to its end, whoever goes away: it is paid for
  unlessStopped(port, pumped).then(
    () => outlet.close(),
    (error: unknown) => outlet.error(error),
  );
  yield* outlet.stream;
}

/** Each chunk goes through as it comes; the end, only once the whole answer is on record. */
async function pump(
  live: Live<Answer>,
  outlet: Outlet<Chunk>,
  source: () => AsyncGenerator<Chunk>,
): Promise<void> {
  let whole: Chunk | undefined;
  try {
    await live.enter(async () => {
      for await (const chunk of unannounced(source)) {
        chunk.message.id ??= live.key;
        whole = whole ? whole.concat(chunk) : chunk;
        outlet.enqueue(chunk);
        await live.grow(Buffer.byteLength(JSON.stringify(chunk.message.content)));
      }
    });
    if (!whole) throw new Error("The model's stream ended without an answer.");
  } catch (error) {
    await live.fail(error, { said: whole?.message.content });
    outlet.error(error);
    return;
  }
  const { message, text, generationInfo } = whole;
  await live.commit(keptAnswer({ generations: [{ message, text, generationInfo }] }, live.key), {
    durable: true,
  });
}

/** A recorded answer as one chunk. */
function chunkOf(message: Message): Chunk {
  const { lc_kwargs: _, ...fields } = message as Message & { lc_kwargs?: unknown };
  const tool_call_chunks = message.tool_calls?.map(({ id, name, args }, index) => ({
    type: "tool_call_chunk" as const,
    id,
    name,
    args: JSON.stringify(args),
    index,
  }));
  const chunk = new AIMessageChunk({ ...fields, tool_call_chunks } as never);
  const text = typeof message.content === "string" ? message.content : "";
  return new ChatGenerationChunk({ message: chunk, text }) as never;
}
