import { current, type Port } from "@holdfast/core";
import { describe, expect, test } from "vitest";
import { type Hold, holdOn } from "../src/hold.ts";
import type { Part } from "../src/language-model.ts";
import { holdModel } from "../src/model.ts";
import { finishPart, partModel, type Script, textParts, toolCallPart } from "./part-model.ts";
import { newRunId, workbench } from "./workbench.ts";

const { here, elsewhere } = workbench();

const v2 = { major: 5 } as const;
const finish = finishPart(v2, "stop");
const request = { prompt: [{ role: "user", content: [{ type: "text", text: "go" }] }] };

interface Asked {
  readonly hold: Hold;
  readonly again: () => Promise<ReadableStream<Part>>;
}

/** Streams a script through a held model, in a run of its own. */
function streaming(...turns: readonly Script[]) {
  const { model, seen } = partModel(v2, ...turns);
  const runId = newRunId();
  const observations = async () =>
    (await here().entries(runId)).filter((entry) => entry.kind === "observation");
  const run = <T>(use: (stream: ReadableStream<Part>, asked: Asked) => Promise<T>, where = here()) =>
    where.run(runId, async () => {
      const hold = holdOn(current() as Port, { streams: true });
      const ask = async () => (await holdModel(model, hold).doStream(request)).stream;
      return await use(await ask(), { hold, again: ask });
    });
  return { run, seen, observations };
}

const readAll = async (stream: ReadableStream<Part>) => {
  const parts: Part[] = [];
  for await (const part of stream) parts.push(part);
  return parts;
};

describe("an answer that streams", () => {
  test("is on record before its finish goes out", async () => {
    const { run, observations } = streaming([...textParts("hello"), finish]);
    const recorded = await run(async (stream) => {
      for await (const part of stream) if (part.type === "finish") return await observations();
      return [];
    });
    expect(recorded).toHaveLength(1);
  });

  test("is read to its end and recorded when its reader goes away, before the run may end", async () => {
    const rest = Promise.withResolvers<void>();
    const { run, seen, observations } = streaming([...textParts("hello"), () => rest.promise, finish]);
    await run(async (stream) => {
      const reader = stream.getReader();
      await reader.read();
      await reader.cancel();
      rest.resolve();
    });
    expect(await observations()).toHaveLength(1);
    expect(seen).toEqual({ requests: 1, cancelled: 0 });
  });

  test("has its ids and times made up once where the provider gave none, and its usage counted", async () => {
    const { run, observations } = streaming([...textParts("hello"), finish]);
    const metadata = (parts: Part[]) => parts.find(({ type }) => type === "response-metadata");
    // Nothing that could be recorded as the run's own value: then the work is done again.
    const read = async (stream: ReadableStream<Part>) => ({ parts: await readAll(stream), noData() {} });
    const live = await run(read);
    const replayed = await run(read, elsewhere());
    expect(metadata(live.parts)).toEqual({
      type: "response-metadata",
      id: expect.any(String),
      timestamp: expect.any(Date),
      modelId: "parts",
    });
    expect(metadata(replayed.parts)).toEqual(metadata(live.parts));
    expect(await observations()).toMatchObject([{ usage: { inputTokens: 9, outputTokens: 3 } }]);
  });

  test.each([
    [
      "reports an error, even if it finishes after that",
      [{ type: "error", error: new Error("overloaded") }, finish],
    ],
    ["ends without a finish", []],
    ["breaks off", [() => Promise.reject(new Error("cut"))]],
  ])("is none if it %s: its tool calls are refused, and the next try takes its place", async (_, end) => {
    const { run, observations } = streaming(
      [toolCallPart("look"), ...end],
      [...textParts("at last"), finish],
    );
    await run(async (stream, { hold, again }) => {
      await readAll(stream).catch(() => {});
      await expect(hold.answered.get("call_1")).rejects.toThrow("The model's answer broke off.");
      await readAll(await again());
    });
    expect(await observations()).toMatchObject([{ step: "model#0" }]);
  });
});

test("a held model is still its class's, with what it keeps private", () => {
  class Model {
    readonly #at = "https://model.example";
    get provider() {
      return this.#at;
    }
    modelId = "m";
    url() {
      return this.#at;
    }
    doGenerate = () => Promise.reject(new Error("not asked"));
    doStream = () => Promise.reject(new Error("not asked"));
  }
  const held = holdModel(new Model(), holdOn({} as Port, { streams: false })) as Model;
  expect([held.provider, held.url(), held instanceof Model]).toEqual([
    "https://model.example",
    "https://model.example",
    true,
  ]);
});
