import type { EmittedCall, Usage } from "@holdfast/core";
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

/** The answer as the SDK expects it. */
export function toResponse(answer: Answer, hold: Hold | undefined): ModelResponse {
  return hold?.usage ? { ...answer, usage: new hold.usage(answer.usage) } : answer;
}

/** The calls that an answer asks for, of tools that run here. A handoff is one of them. */
export function emittedBy({ output }: Answer): EmittedCall[] {
  return output.flatMap((item): EmittedCall[] => {
    const { callId: id } = item;
    if (typeof id !== "string") return [];
    if (item.type === "function_call") return [{ id, name: toolName(item as Named), input: item.arguments }];
    if (item.type === "shell_call") return [{ id, name: "shell", input: item.action }];
    if (item.type === "apply_patch_call") return [{ id, name: "apply_patch", input: item.operation }];
    return [];
  });
}

interface Named {
  readonly name?: unknown;
  readonly namespace?: unknown;
}

/** A tool's name. Those of a namespace are told from others of their name by it. */
export const toolName = ({ name, namespace }: Named): string =>
  typeof namespace === "string" && namespace !== name ? `${namespace}.${String(name)}` : String(name);

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
