import type { EmittedCall, Usage } from "@holdfast/core";
import type { Hold } from "./hold.ts";
import { type Generated, isToolCall, type Part, type ResponseMetadata } from "./language-model.ts";

/** The answer as it is recorded. */
export function complete(answer: Generated, modelId: string): Generated {
  const response = slim(answer).response;
  return { ...answer, request: {}, response: { ...response, ...missing(response, modelId) } };
}

/**
 * Without the request and the body of the response: they repeat the whole conversation, and a run would grow with the
 * square of its length.
 */
export function slim({ response }: { readonly response?: ResponseMetadata | undefined }) {
  const { body: _body, ...rest } = response ?? {};
  return { request: {}, response: rest };
}

/** What the provider did not say of its answer. The SDK would make it up, anew in every execution. */
export function missing(response: ResponseMetadata, modelId: string): ResponseMetadata {
  return {
    ...(response.id === undefined && { id: crypto.randomUUID() }),
    ...(response.timestamp === undefined && { timestamp: new Date() }),
    ...(response.modelId === undefined && { modelId }),
  };
}

/** The tool calls that an answer asks the SDK for. */
export function emittedBy(parts: readonly Part[], hold: Hold): EmittedCall[] {
  return parts.filter(isToolCall).map(({ toolCallId: id, toolName: name, input }) => {
    // Where nothing was bound, nobody can say which tools there are.
    const bound = hold.bound && (hold.bound.get(name) ?? { runs: "nowhere" as const });
    return { id, name, input, ...bound };
  });
}

/**
 * Tokens, in the ledger's shape: from the counts of V3 and V4, which are objects and of which the total is all there is, or
 * of V2, which are numbers. In V2, Anthropic's input is without what was cached, and Google's output without reasoning.
 */
export function usageOf(answer: Part | Answered | undefined, provider: string): Usage | undefined {
  const { usage, providerMetadata } = (answer ?? {}) as Answered;
  if (typeof usage !== "object" || usage === null) return undefined;
  const { inputTokens, outputTokens, cachedInputTokens, reasoningTokens } = usage as Record<string, Count>;
  const counted = {
    inputTokens: total(inputTokens),
    cachedInputTokens: detail(inputTokens, "cacheRead") ?? total(cachedInputTokens),
    cacheWriteTokens: detail(inputTokens, "cacheWrite"),
    outputTokens: total(outputTokens),
    reasoningTokens: detail(outputTokens, "reasoning") ?? total(reasoningTokens),
  };
  if (typeof inputTokens === "object") return counted;
  if (provider.startsWith("anthropic")) return withCached(counted, providerMetadata);
  if (provider.startsWith("google"))
    return { ...counted, outputTokens: sum(counted.outputTokens, counted.reasoningTokens) };
  return counted;
}

/** An answer, or the part that finishes a stream. */
interface Answered {
  readonly usage?: unknown;
  readonly providerMetadata?: unknown;
}

function withCached(counted: Usage, metadata: unknown): Usage {
  const { anthropic } = (metadata ?? {}) as { anthropic?: { cacheCreationInputTokens?: number | null } };
  const cacheWriteTokens = anthropic?.cacheCreationInputTokens ?? undefined;
  const inputTokens = sum(sum(counted.inputTokens, counted.cachedInputTokens), cacheWriteTokens);
  return { ...counted, inputTokens, cacheWriteTokens };
}

const sum = (one: number | undefined, other: number | undefined) =>
  one === undefined ? one : one + (other ?? 0);

type Count = number | { readonly [detail: string]: number | undefined } | null | undefined;

const total = (count: Count) => (typeof count === "number" ? count : (count?.total ?? undefined));

const detail = (count: Count, name: string) =>
  typeof count === "object" ? (count?.[name] ?? undefined) : undefined;
