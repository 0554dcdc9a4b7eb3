import type { AskedModel, Call, EmittedCall, Port, Usage } from "@holdfast/core";
import type { Asked, CallOptions, ChatModel } from "./chat-model.ts";
import { executionOf } from "./execution.ts";
import { fromKept, isMessage, type Message, toKept } from "./kept.ts";
import { answersIn, capIn, thinkingIn, withCap } from "./output-cap.ts";
import { governedBy, type Review, reviewOf } from "./review.ts";
import { toldTools } from "./told-tools.ts";

/** A model's answer as the ledger keeps it: one of `n`, mostly the only one. */
export interface Answer {
  readonly generations: readonly {
    readonly message: unknown;
    readonly text: string;
    readonly generationInfo?: unknown;
  }[];
  readonly llmOutput?: unknown;
}

/** Fields of a request that two executions may not share, and that change nothing in the answer. */
const LEFT_OUT = new Set(["stream", "streaming", "stream_options", "signal", "user"]);

/** Options that say what is asked, for a model that does not tell its parameters. */
const ASKED = ["tools", "tool_choice", "stop", "response_format"];

/** A call of a chat model as it is announced. The request is the same whether the answer is to be streamed or not. */
export function modelCall(
  port: Port,
  model: ChatModel,
  messages: readonly unknown[],
  options: CallOptions,
): Call<Answer> {
  const { reviews } = executionOf(port);
  const params = model.invocationParams?.(options);
  const asked = askedModel({ model, options }, params);
  const told = toldTools(params);
  return {
    kind: "model",
    name: [asked.provider, asked.model].filter(Boolean).join("/"),
    model: asked,
    input: { model: model._llmType(), ...requestIn(params, options), messages: messages.map(said) },
    signal: options.signal,
    heedsSet: port.set !== undefined,
    emits: (answer) => emitted(answer, reviews, told),
    usage,
  };
}

function askedModel({ model, options }: Asked<ChatModel>, params: unknown): AskedModel {
  const { ls_provider, ls_model_name, ls_max_tokens } = model.getLsParams?.(options) ?? {};
  const [answers, thinking] = [answersIn(params), thinkingIn(params)];
  const cap = capIn(params) ?? ls_max_tokens;
  let isFixed: boolean | undefined;
  return {
    provider: ls_provider ?? model._llmType(),
    model: ls_model_name ?? "",
    maxOutputTokens: cap === undefined ? undefined : Math.max(1, cap - thinking) * answers,
    thinkingTokens: thinking * answers,
    // Found out where a budget wants to know: it takes some trials.
    get isCapFixed() {
      isFixed ??= isFixedOf({ model, options });
      return isFixed;
    },
  };
}

/** No cap is heeded that the call brings. Tried with one that is as good as any. */
const isFixedOf = (asked: Asked<ChatModel>): boolean => withCap(asked, 1_111) === undefined;

/** The model and its options, to ask with the output cap that a budget has room for, as `askedModel` counts it. */
export function capped<M extends ChatModel>(asked: Asked<M>, maxOutputTokens: number | undefined): Asked<M> {
  if (maxOutputTokens === undefined) return asked;
  const params = asked.model.invocationParams?.(asked.options);
  const cap = Math.floor(maxOutputTokens / answersIn(params)) + thinkingIn(params);
  if (cap === capIn(params)) return asked;
  const found = withCap(asked, cap);
  if (found) return found;
  if (isFixedOf(asked)) return asked; // nothing was lowered: what the model says of itself is held
  throw new Error(`${asked.model.getName()} does not take an output cap of ${cap} tokens.`);
}

function requestIn(params: unknown, options: CallOptions): object {
  const told = Object.entries((params ?? {}) as object);
  const asked = told.length > 0 ? told : ASKED.map((name) => [name, options[name]] as const);
  return Object.fromEntries(asked.filter(([name, value]) => !LEFT_OUT.has(name) && value !== undefined));
}

/** What a message says to the model: without its id, which is often made up anew, and without metadata. */
function said(message: unknown): unknown {
  if (!isMessage(message)) return message;
  const { content, name, tool_calls, tool_call_id, status, additional_kwargs = {} } = message;
  return {
    type: message._getType(),
    content,
    name,
    tool_calls: tool_calls?.map(({ id, name, args }) => ({ id, name, args })),
    tool_call_id,
    status,
    additional_kwargs: Object.keys(additional_kwargs).length > 0 ? additional_kwargs : undefined,
  };
}

const answered = ({ generations }: Answer) => generations.map(({ message }) => fromKept(message) as Message);

function emitted(
  answer: Answer,
  reviews: ReadonlyMap<string, Review>,
  told: ReturnType<typeof toldTools>,
): EmittedCall[] {
  return answered(answer).flatMap(({ id: of, tool_calls = [] }) =>
    tool_calls.flatMap(({ id, name, args }): EmittedCall[] => {
      if (id === undefined) return [];
      const call = { id, name, input: args, answer: of };
      if (told && !told.has(name)) return [{ ...call, runs: "nowhere" }];
      return [{ ...call, ...governedBy(() => reviews.get(reviewOf(of, id)), told?.get(name)) }];
    }),
  );
}

/** Tokens in the ledger's shape. */
function usage(answer: Answer): Usage | undefined {
  const used = answered(answer).find(({ usage_metadata }) => usage_metadata)?.usage_metadata;
  return (
    used && {
      inputTokens: used.input_tokens,
      outputTokens: used.output_tokens,
      cachedInputTokens: used.input_token_details?.cache_read,
      cacheWriteTokens: used.input_token_details?.cache_creation,
      reasoningTokens: used.output_token_details?.reasoning,
    }
  );
}

/** The answer as it is kept. A message without an id gets one that every execution gives it. */
export function keptAnswer({ generations, llmOutput }: Answer, id: string): Answer {
  return {
    generations: generations.map(({ message, text, generationInfo }, i) => {
      const kept = message as Message;
      kept.id ??= i === 0 ? id : `${id}_${i}`;
      return {
        message: toKept(kept),
        text,
        ...(generationInfo === undefined ? {} : { generationInfo: toKept(generationInfo) }),
      };
    }),
    ...(llmOutput === undefined ? {} : { llmOutput: toKept(llmOutput) }),
  };
}

/** The answer with its messages again. */
export function readAnswer({ generations, llmOutput }: Answer): Answer {
  return {
    generations: generations.map((generation) => ({ ...generation, message: fromKept(generation.message) })),
    llmOutput,
  };
}
