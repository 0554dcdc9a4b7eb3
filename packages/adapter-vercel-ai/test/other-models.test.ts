import { HoldfastError } from "@holdfast/core";
import { describe, expect, test } from "vitest";
import { withDurability } from "../src/index.ts";
import { type Ai, type Version, versions } from "./versions.ts";
import { newRunId, workbench } from "./workbench.ts";

const { here, open, twice } = workbench();

const newest = versions.filter(({ name }) => ["ai 5.0.277", "ai 6.0.326", "ai 7.0.173"].includes(name));

const png = Uint8Array.from([137, 80, 78, 71, 13, 10, 26, 10, 0, 255]);
const mp3 = Uint8Array.from([255, 251, 144, 0, 1, 2, 3]);
const warnings: never[] = [];
const response = () => ({ timestamp: new Date(), modelId: "made", headers: { "x-id": crypto.randomUUID() } });

interface Asked {
  readonly values?: readonly string[];
  readonly n?: number;
  readonly documents?: { readonly values: readonly string[] };
}

/** A model that can do all that models other than those of language do. It says something else each time. */
function anyModel({ major }: Version) {
  let asked = 0;
  const does = (answer: (asked: Asked) => object) => async (request: Asked) => {
    asked++;
    // Whoever is asked first answers last: nothing may depend on the order in which answers come.
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, 40 - 10 * asked)));
    return { warnings, response: { ...response(), body: { repeats: "everything" } }, ...answer(request) };
  };
  const random = () => Math.random();
  const base = {
    specificationVersion: `v${major - 3}`,
    provider: "scripted",
    modelId: `any-${crypto.randomUUID()}`,
    maxEmbeddingsPerCall: 2,
    supportsParallelCalls: true,
    maxImagesPerCall: 1,
  };
  const models = {
    embedding: {
      ...base,
      doEmbed: does(({ values = [] }) => ({
        embeddings: values.map((value) => [value.length, random()]),
        usage: { tokens: values.length },
      })),
    },
    image: { ...base, doGenerate: does(() => ({ images: [Uint8Array.from([...png, random() * 255])] })) },
    speech: { ...base, doGenerate: does(() => ({ audio: Uint8Array.from([...mp3, random() * 255]) })) },
    transcription: {
      ...base,
      doGenerate: does(() => ({
        text: `heard ${random()}`,
        segments: [],
        language: "en",
        durationInSeconds: 1,
      })),
    },
    reranking: {
      ...base,
      doRerank: does(({ documents }) => ({
        ranking: documents?.values.map((_, index) => ({ index, relevanceScore: random() })).toReversed(),
      })),
    },
  };
  return { models, asked: () => asked };
}

type Models = ReturnType<typeof anyModel>["models"];

const kinds: [name: string, calls: number, ask: (ai: Ai, models: Models) => Promise<unknown>][] = [
  ["embed", 1, async (ai, { embedding }) => (await ai.embed({ model: embedding, value: "a" })).embedding],
  [
    "embedMany",
    3,
    async (ai, { embedding: model }) => {
      const { embeddings, usage } = await ai.embedMany({
        model,
        values: ["a", "bb", "ccc", "dddd", "eeeee"],
      });
      return { embeddings, usage };
    },
  ],
  [
    "generateImage",
    3,
    async (ai, { image: model }) => {
      const generate = ai.generateImage ?? ai.experimental_generateImage;
      const { images, responses } = await generate({ model, prompt: "kelp", n: 3 });
      return { bytes: images.map(({ uint8Array }: { uint8Array: Uint8Array }) => uint8Array), responses };
    },
  ],
  [
    "generateSpeech",
    1,
    async (ai, { speech: model }) => {
      const { audio } = await (ai.generateSpeech ?? ai.experimental_generateSpeech)({ model, text: "kelp" });
      return audio.uint8Array;
    },
  ],
  [
    "transcribe",
    1,
    async (ai, { transcription: model }) =>
      (await (ai.transcribe ?? ai.experimental_transcribe)({ model, audio: mp3 })).text,
  ],
  [
    "rerank",
    1,
    async (ai, { reranking: model }) =>
      (await ai.rerank({ model, query: "kelp", documents: ["a", "b", "c"] })).ranking,
  ],
];

/** The result is no data, so that nothing but the calls' own records can give it a second time. */
const noData = <T>(value: T) => ({ value, noData() {} });

describe.each(newest)("$name", (version) => {
  const ai = withDurability(version.ai);
  const here5 = version.major === 5;

  describe.each(kinds.filter(([name]) => !(here5 && name === "rerank")))("%s", (name, calls, ask) => {
    test("is asked once, and gives the same again", async () => {
      const { models, asked } = anyModel(version);
      const [live, replayed] = await twice(async () => noData(await ask(ai, models)));
      expect(replayed.value).toEqual(live.value);
      expect(asked()).toBe(calls);
    });

    test("outside a run is what it was", async () => {
      const { models, asked } = anyModel(version);
      await ask(ai, models);
      await ask(ai, models);
      expect(asked()).toBe(2 * calls);
    });

    test("is a call in a lane of the function's name", async () => {
      const { models } = anyModel(version);
      const runId = newRunId();
      await here().run(runId, () => ask(ai, models));
      const observed = (await here().entries(runId)).filter(({ kind }) => kind === "observation");
      expect(observed).toHaveLength(calls);
      for (const { step } of observed as { step: string }[]) {
        expect(step).toMatch(new RegExp(`^(experimental_)?${name}\\.0/model#\\d$`));
      }
    });
  });

  test("embeddings keep their order, whichever chunk was answered first, and their tokens are counted", async () => {
    const { models } = anyModel(version);
    const values = ["a", "bb", "ccc", "dddd", "eeeee"];
    const runId = newRunId();
    const { embeddings } = await here().run(runId, async () =>
      noDataOf(await ai.embedMany({ model: models.embedding, values })),
    );
    expect(embeddings.map(([length]: number[]) => length)).toEqual([1, 2, 3, 4, 5]);
    const usage = (await here().entries(runId)).flatMap((entry) =>
      entry.kind === "observation" ? [entry.usage?.inputTokens] : [],
    );
    expect(usage).toHaveLength(3);
    expect(usage).toEqual(expect.arrayContaining([1, 2, 2]));
  });

  test("two of them side by side get each their own again, whichever chunk was answered first", async () => {
    const { models, asked } = anyModel(version);
    const embed = (...values: string[]) => ai.embedMany({ model: models.embedding, values });
    const results = await twice(async () => {
      const both = await Promise.all([embed("a", "bb", "ccc", "dddd", "eeeee"), embed("x", "yy", "zzz")]);
      return noData(both.map(({ embeddings }) => embeddings as number[][]));
    });
    const [live, replayed] = results.map(({ value }) => value);
    expect(live?.map((each) => each.map(([length]) => length))).toEqual([
      [1, 2, 3, 4, 5],
      [1, 2, 3],
    ]);
    expect(replayed).toEqual(live);
    expect(asked()).toBe(5);
  });

  test("a run that stops between chunks goes on with those that are missing", async () => {
    const { models, asked } = anyModel(version);
    const hanging = Promise.withResolvers<void>();
    let hangs = true;
    const doEmbed = async (request: Asked) => {
      if (hangs && request.values?.includes("ccc")) {
        hanging.resolve();
        await new Promise(() => {});
      }
      return await models.embedding.doEmbed(request);
    };
    const model = { ...models.embedding, doEmbed };
    const values = ["a", "bb", "ccc", "dddd", "eeeee"];
    const runId = newRunId();
    const work = async () => noDataOf(await ai.embedMany({ model, values }));

    const first = await open();
    first.run(runId, work).catch(() => {}); // it is cut short
    await hanging.promise;
    const observed = async () => (await first.entries(runId)).filter(({ kind }) => kind === "observation");
    await expect.poll(observed).toHaveLength(2);
    await first.close({ graceSeconds: 0 });

    hangs = false;
    const { embeddings } = await here().run(runId, work);
    expect(embeddings.map(([length]: number[]) => length)).toEqual([1, 2, 3, 4, 5]);
    expect(asked()).toBe(3);
  });

  test("an embedding model that is named by its id is the default provider's", async () => {
    const { models, asked } = anyModel(version);
    const globals = globalThis as { AI_SDK_DEFAULT_PROVIDER?: unknown };
    const find = () => models.embedding;
    globals.AI_SDK_DEFAULT_PROVIDER = here5 ? { textEmbeddingModel: find } : { embeddingModel: find };
    try {
      const [live, replayed] = await twice(async () =>
        noData((await ai.embed({ model: "an/embedding", value: "a" })).embedding),
      );
      expect(replayed.value).toEqual(live.value);
    } finally {
      delete globals.AI_SDK_DEFAULT_PROVIDER;
    }
    expect(asked()).toBe(1);
  });

  test("a model that no provider finds is refused", async () => {
    const held = withDurability<Ai>({ ...version.ai, gateway: {} });
    await expect(
      here().run(newRunId(), () => held.embed({ model: "an/embedding", value: "a" })),
    ).rejects.toSatisfy((error) => HoldfastError.is(error, "UNHELD_CALL"));
  });

  test("a try that fails is no outcome", async () => {
    const { models, asked } = anyModel(version);
    let failures = 0;
    const doEmbed = async (request: Asked) => {
      if (++failures === 1)
        throw new version.ai.APICallError({
          message: "busy",
          url: "",
          requestBodyValues: {},
          statusCode: 503,
          responseHeaders: { "retry-after-ms": "5" },
          isRetryable: true,
        });
      return await models.embedding.doEmbed(request);
    };
    const model = { ...models.embedding, doEmbed };
    const [live, replayed] = await twice(async () =>
      noData((await ai.embed({ model, value: "a" })).embedding),
    );
    expect(replayed.value).toEqual(live.value);
    expect([failures, asked()]).toEqual([2, 1]);
  });
});

const noDataOf = <T extends object>(value: T): T => ({ ...value, noData() {} });
