import type { Call, Usage } from "@holdfast/core";
import { slim, usageOf } from "./answer.ts";
import type { Hold } from "./hold.ts";
import type { ResponseMetadata } from "./language-model.ts";
import { originalOf } from "./mark.ts";
import { proxyOf } from "./model-proxy.ts";
import { unlessStopped } from "./stop.ts";

/** A model that is no language model: it embeds, draws, speaks, transcribes, ranks. It answers whole. */
export interface OtherModel {
  readonly provider: string;
  readonly modelId: string;
}

interface Request {
  readonly abortSignal?: AbortSignal | undefined;
  readonly headers?: unknown;
}

interface Answer {
  readonly usage?: unknown;
  readonly response?: ResponseMetadata | undefined;
}

/**
 * The same model, its calls (doEmbed, doGenerate, doRerank …) held. They may run side by side, but the first of them is
 * waited for: a lane is known again by what was asked in it first, and that is what the ledger holds first.
 */
export function holdOther(model: OtherModel, hold: Hold): OtherModel {
  const original = originalOf(model);
  let first: Promise<Answer> | undefined;
  return proxyOf(original, (method, own) => {
    if (!/^do[A-Z]/.test(method)) return undefined;
    return (request: Request) => {
      const go = () => ask(hold, original, method, request, own as (request: Request) => Answer);
      if (first !== undefined) return first.then(go, go);
      first = go();
      return first;
    };
  });
}

/** What is paid by the tokens of its input. Of anything else a request cannot cap the output. */
const COUNTED = ["doEmbed", "doRerank"];

/** What is asked is all of the request but what no two executions share. Bytes count by their hash. */
function ask(
  hold: Hold,
  { provider, modelId }: OtherModel,
  op: string,
  { abortSignal: signal, headers, ...asked }: Request,
  work: (request: Request) => Answer | PromiseLike<Answer>,
): Promise<Answer> {
  const call: Call<Answer> = {
    kind: "model",
    name: `${provider}/${modelId}`,
    input: { op, provider, modelId, ...asked },
    signal,
    model: { provider, model: modelId, maxOutputTokens: 0, isPaidByCall: !COUNTED.includes(op) },
    usage: (answer) => {
      const counted = usageOf(answer, provider);
      return counted && { ...counted, ...embeddingTokens(answer.usage) };
    },
  };
  const answered = hold.port.step(call, async (live) => {
    const answer = await work({ ...asked, headers, abortSignal: live.signal });
    return answer.response ? { ...answer, response: slim(answer).response } : answer;
  });
  return unlessStopped(hold, answered);
}

/** An embedding is counted in tokens of one kind. */
function embeddingTokens(usage: unknown): Usage {
  const { tokens } = usage as { tokens?: unknown };
  return typeof tokens === "number" ? { inputTokens: tokens } : {};
}
