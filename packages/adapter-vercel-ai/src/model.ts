import type { Call, Live } from "@holdfast/core";
import { complete, emittedBy, usageOf } from "./answer.ts";
import type { Hold } from "./hold.ts";
import type { Generated, LanguageModel, ModelRequest, Streamed } from "./language-model.ts";
import { MARK, originalOf } from "./mark.ts";
import { proxyOf } from "./model-proxy.ts";
import { effectOf, hostedIn, refuseUnheldTools, thinkingTokens, withoutOwnOptions } from "./request-tools.ts";
import { IS_SET, withSet } from "./set.ts";
import { unlessStopped } from "./stop.ts";
import { record, replay } from "./stream.ts";
import type { Recording } from "./tape.ts";

/** The same model, its calls held. `named` finds another by its id. */
export function holdModel(
  model: LanguageModel,
  hold: Hold,
  named?: (id: string) => LanguageModel,
): LanguageModel {
  const original = originalOf(model);
  return proxyOf(original, (method) => {
    if (method === "doGenerate") {
      return async (request: ModelRequest) => {
        refuseUnheldTools(hold, request);
        const { by, asked } = withSet(hold, original, request, named);
        return generate(hold, by, asked, (live) => by.doGenerate(outgoing(asked, live)));
      };
    }
    if (method === "doStream") {
      return async (request: ModelRequest) => {
        refuseUnheldTools(hold, request);
        const { by, asked } = withSet(hold, original, request, named);
        return stream(hold, by, asked, (live) => by.doStream(outgoing(asked, live)));
      };
    }
    return undefined;
  });
}

/** A model call that answers whole. */
export function generate(
  hold: Hold,
  model: LanguageModel,
  request: ModelRequest,
  dispatch: (live: Live<Generated>) => PromiseLike<Generated>,
): Promise<Generated> {
  const call: Call<Generated> = {
    ...asked("generate", hold, model, request),
    heedsSet: IS_SET in request,
    emits: (answer) => emittedBy(answer.content, hold),
    usage: (answer) => usageOf(answer, model.provider),
  };
  const answered = hold.port.step(call, async (live) => complete(await dispatch(live), model.modelId));
  return unlessStopped(hold, answered);
}

/** A model call that streams while it is live, and streams again from the record. */
export function stream(
  hold: Hold,
  model: LanguageModel,
  request: ModelRequest,
  dispatch: (live: Live<Recording>) => PromiseLike<Streamed>,
): Promise<Streamed> {
  const call: Call<Recording> = {
    ...asked("stream", hold, model, request),
    heedsSet: IS_SET in request,
    emits: (recording) => emittedBy(recording.parts, hold),
    usage: (recording) => usageOf(recording.parts.at(-1), model.provider),
  };
  return unlessStopped(hold, begin());

  async function begin(): Promise<Streamed> {
    const begun = await hold.port.begin(call);
    if (begun.at === "recorded") return replay(begun.value);
    let answer: Streamed;
    try {
      answer = await begun.enter(() => dispatch(begun));
    } catch (error) {
      await begun.fail(error);
      throw error;
    }
    return record(answer, begun, hold, model.modelId);
  }
}

const ASKED = [
  "prompt",
  "tools",
  "toolChoice",
  "responseFormat",
  "maxOutputTokens",
  "temperature",
  "topP",
  "topK",
  "presencePenalty",
  "frequencyPenalty",
  "stopSequences",
  "seed",
  "reasoning",
  "providerOptions",
];

/**
 * The request as far as it decides the answer: without headers, which carry the SDK's version and trace ids, without
 * the signal, and without includeRawChunks, which changes nothing that is recorded.
 */
function asked(op: "generate" | "stream", hold: Hold, model: LanguageModel, request: ModelRequest) {
  const { provider, modelId } = model;
  const fields = withoutOwnOptions(request);
  const input = {
    op,
    provider,
    modelId,
    ...Object.fromEntries(ASKED.map((field) => [field, fields[field]])),
  };
  return {
    kind: "model",
    name: `${provider}/${modelId}`,
    input,
    effect: effectOf(hold, request),
    hosted: hostedIn(hold, request),
    signal: request.abortSignal,
    model: {
      provider,
      model: modelId,
      maxOutputTokens: request.maxOutputTokens as number | undefined,
      thinkingTokens: thinkingTokens(request),
    },
  } as const;
}

/** The request as it goes out. The mark tells durableMiddleware(), further in, that the call is held already. */
const outgoing = <T>(request: ModelRequest, { signal, maxOutputTokens }: Live<T>): ModelRequest => ({
  ...withoutOwnOptions(request),
  ...(maxOutputTokens === undefined ? {} : { maxOutputTokens }),
  [MARK]: true,
  abortSignal: signal,
});
