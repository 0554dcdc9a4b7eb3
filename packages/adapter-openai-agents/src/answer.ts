import type { Usage } from "@holdfast/core";
import type { Hold } from "./hold.ts";
import type { ModelResponse, OutputItem } from "./sdk.ts";

/** An answer as it is recorded. */
export interface Answer {
  readonly output: readonly OutputItem[];
  readonly usage: Counts;
  readonly responseId?: string;
  readonly requestId?: string;
  readonly rawUsage?: unknown;
}

interface Counts {
  readonly inputTokens?: number;
  readonly outputTokens?: number;
  readonly inputTokensDetails?: Details;
  readonly outputTokensDetails?: Details;
}

type Details = Readonly<Record<string, unknown>> | readonly Readonly<Record<string, unknown>>[];

/** Without the body of the provider's response: it says everything twice, and repeats the instructions. */
export function slim({ output, usage, responseId, requestId, rawUsage }: ModelResponse): Answer {
  return {
    output,
    // Its classes are the SDK's own; as data it is what a streamed answer has anyway.
    usage: JSON.parse(JSON.stringify(usage)),
    ...(responseId === undefined ? {} : { responseId }),
    ...(requestId === undefined ? {} : { requestId }),
    ...(rawUsage === undefined ? {} : { rawUsage }),
  };
}

type UsageClass = new (counts: object) => object;

/** The answer as the SDK expects it: its tokens counted by its own class, of the copy that the user has. */
export function toResponse(answer: Answer, hold: Hold | undefined): ModelResponse {
  const Usage = hold?.runContext.usage.constructor as UsageClass | undefined;
  return Usage ? { ...answer, usage: new Usage(answer.usage) } : answer;
}

/** Tokens, in the ledger's shape. */
export function usageOf({ usage }: Answer): Usage {
  return {
    inputTokens: usage.inputTokens,
    cachedInputTokens: detail(usage.inputTokensDetails, "cached_tokens"),
    outputTokens: usage.outputTokens,
    reasoningTokens: detail(usage.outputTokensDetails, "reasoning_tokens"),
  };
}

/** What is told once for each request, or once for all. */
function detail(details: Details | undefined, name: string): number | undefined {
  const counts = [details ?? []].flat().flatMap((each) => {
    const count = (each as Readonly<Record<string, unknown>>)[name];
    return typeof count === "number" ? [count] : [];
  });
  return counts.length > 0 ? counts.reduce((sum, count) => sum + count) : undefined;
}
