import { HoldfastError } from "@holdfast/core";
import { describe, expect, test } from "vitest";
import { withDurability } from "../src/index.ts";
import type { LanguageModel, Part } from "../src/language-model.ts";
import { versions } from "./versions.ts";
import { newRunId, workbench } from "./workbench.ts";

const limit = 10_000;
const { here, open } = workbench({ maxOutputBytes: limit });

/** A model whose answer has no end. It counts its requests and its parts, and hears of a reader that has had enough. */
function endlessModel(major: number) {
  const seen = { requests: 0, parts: 0 };
  const cancelled = Promise.withResolvers<void>();
  const model = {
    specificationVersion: `v${major - 3}`,
    provider: "scripted",
    modelId: "endless",
    supportedUrls: {},
    doGenerate: () => Promise.reject(new Error("it only streams")),
    async doStream() {
      seen.requests++;
      const stream = new ReadableStream<Part>({
        pull(controller) {
          controller.enqueue(
            seen.parts++ === 0
              ? { type: "text-start", id: "1" }
              : { type: "text-delta", id: "1", delta: "and so on, " },
          );
        },
        cancel: () => cancelled.resolve(),
      });
      return { stream };
    },
  };
  return { model: model as unknown as LanguageModel, seen, cancelled: cancelled.promise };
}

describe.each(versions)("$name", (version) => {
  const ai = withDurability(version.ai);

  test("an answer that grows too large is read no further, is recorded as that, and is not asked for again", async () => {
    const { model, seen, cancelled } = endlessModel(version.major);
    const runId = newRunId();
    const work = async () => {
      const { fullStream } = ai.streamText({ model, prompt: "go", onError: () => {} });
      const read = async (): Promise<string> => {
        for await (const part of fullStream) if (part.type === "error") throw part.error;
        return "read to its end";
      };
      return await read().catch((error): string => (HoldfastError.is(error) ? error.code : String(error)));
    };
    // The process is gone once it knows.
    const told = Promise.withResolvers<string>();
    const first = await open();
    const left = first.run(runId, async () => {
      told.resolve(await work());
      await new Promise(() => {});
    });
    left.catch(() => {});
    expect(await told.promise).toBe("OUTPUT_TOO_LARGE");
    await cancelled;
    await first.close({ graceSeconds: 0 });
    expect(seen.parts).toBeLessThan(limit / 5);

    expect(await here().run(runId, work)).toBe("OUTPUT_TOO_LARGE");
    expect(seen.requests).toBe(1);
    const entries = await here().entries(runId);
    expect(entries.filter(({ kind }) => kind === "observation")).toMatchObject([
      { call: "model", ok: false },
    ]);
  });
});
