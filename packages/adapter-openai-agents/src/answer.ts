import type { EmittedCall, Usage } from "@holdfast/core";
import { type Approvable, governed } from "./approval.ts";
import type { Hold } from "./hold.ts";
import { toolKey } from "./request.ts";
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

/** The calls that an answer asks for. Who makes them is known by the tools that the model was told of. */
export function emittedBy({ output }: Answer, hold: Hold | undefined): EmittedCall[] {
  return output.flatMap((item): EmittedCall[] => {
    const { callId: id, type, name } = item;
    if (typeof id !== "string") return [];
    if (type === "function_call") {
      const named = { id, name: toolName(item as Named), input: item.arguments };
      if (hold?.handoffs.has(String(name))) return [{ ...named, runs: "elsewhere" }];
      return [{ ...named, ...whoRuns(hold, `function ${String(name)}`, id, parsed(item.arguments)) }];
    }
    if (type === "shell_call") return [local("shell", item.action)];
    if (type === "apply_patch_call") return [local("apply_patch", item.operation)];
    return [];

    function local(name: string, input: unknown): EmittedCall {
      const [tool] = [...(hold?.tools.values() ?? [])].filter(({ type }) => type === name);
      const runs = tool ? whoRuns(hold, toolKey(tool), id as string, input) : { runs: "elsewhere" as const };
      return { id: id as string, name, input, ...runs };
    }
  });
}

function whoRuns(hold: Hold | undefined, key: string, id: string, input: unknown): Partial<EmittedCall> {
  const tool = hold?.tools.get(key);
  if (!hold) return {};
  return tool ? governed(tool as Approvable, hold, id, input) : { runs: "nowhere" };
}

/** Arguments as the model wrote them, as data where they are JSON. */
export function parsed(input: unknown): unknown {
  try {
    return JSON.parse(String(input));
  } catch {
    return input;
  }
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
