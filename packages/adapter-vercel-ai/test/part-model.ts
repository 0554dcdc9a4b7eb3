import type { LanguageModel, Part } from "../src/language-model.ts";
import type { Version } from "./versions.ts";

/** Parts of a stream, and what it waits for in between. */
export type Script = readonly (Part | (() => Promise<unknown>))[];

/**
 * A model, of the specification of a major version, that streams what is scripted, turn by turn: for what no provider
 * can be brought to do at will. It counts its requests and hears of a reader that goes away.
 */
export function partModel({ major }: Pick<Version, "major">, ...turns: readonly Script[]) {
  const seen = { requests: 0, cancelled: 0 };
  const model = {
    specificationVersion: `v${major - 3}`,
    provider: "scripted",
    modelId: "parts",
    supportedUrls: {},
    doGenerate: () => Promise.reject(new Error("it only streams")),
    async doStream() {
      const script = turns[seen.requests++] ?? [];
      const stream = new ReadableStream<Part>({
        async start(controller) {
          for (const step of script) {
            if (typeof step === "function") await step();
            else controller.enqueue(step);
          }
          controller.close();
        },
        cancel() {
          seen.cancelled++;
        },
      });
      return { stream };
    },
  };
  return { model: model as LanguageModel, seen };
}

export const textParts = (text: string): Part[] => [
  { type: "text-start", id: "1" },
  { type: "text-delta", id: "1", delta: text },
  { type: "text-end", id: "1" },
];

export const toolCallPart = (toolName: string): Part => ({
  type: "tool-call",
  toolCallId: "call_1",
  toolName,
  input: "{}",
});

/** The part that ends an answer, as a major version has it. */
export function finishPart({ major }: Pick<Version, "major">, reason: "stop" | "tool-calls" | "error"): Part {
  return major === 5
    ? { type: "finish", finishReason: reason, usage: { inputTokens: 9, outputTokens: 3, totalTokens: 12 } }
    : {
        type: "finish",
        finishReason: { unified: reason, raw: reason },
        usage: { inputTokens: { total: 9 }, outputTokens: { total: 3 } },
      };
}
