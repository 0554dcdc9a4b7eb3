import { type Holdfast, type HoldfastOptions, openHoldfast, usd } from "@holdfast/core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { freshDatabase } from "../../../test/fresh-database.ts";
import { durableMiddleware, withDurability } from "../src/index.ts";
import { ScriptedModel } from "./scripted-model.ts";
import { versions } from "./versions.ts";

(globalThis as { AI_SDK_LOG_WARNINGS?: boolean }).AI_SDK_LOG_WARNINGS = false;

const prices: HoldfastOptions["prices"] = { "*": { inputPerMillion: 0, outputPerMillion: usd(10) } };

const server = new ScriptedModel();
let database: Awaited<ReturnType<typeof freshDatabase>>;
let hf: Holdfast;
let runs = 0;
const newId = () => `budget-${++runs}`;

beforeAll(async () => {
  database = await freshDatabase();
  await server.listen();
  hf = await openHoldfast({ database: database.url, prices });
});
afterAll(async () => {
  await hf.close();
  server.close();
  await database.drop();
});

describe.each(versions)("$name", ({ name, ai: plain, createProvider }) => {
  const ai = withDurability(plain as never) as typeof plain;
  const modelOf = (id: string) =>
    createProvider({ name: "scripted", baseURL: server.url, includeUsage: true })(id);
  const scripted = (how: string, text = "Hello there") => {
    const id = `${name}-${how}-${newId()}`;
    server.script(id, { text });
    return id;
  };
  const capsOf = (id: string) => server.asked(id).map(({ max_tokens }) => max_tokens);

  test("a model is asked with the output cap that its budget has room for", async () => {
    const [generated, streamed] = [scripted("generate"), scripted("stream")];
    await hf.run(
      newId(),
      () => ai.generateText({ model: modelOf(generated), prompt: "Go.", maxOutputTokens: 900 }),
      {
        budget: 500,
      },
    );
    const { done } = hf.stream(newId(), () => ai.streamText({ model: modelOf(streamed), prompt: "Go." }), {
      budget: 700,
    });
    await done;
    expect([capsOf(generated), capsOf(streamed)]).toEqual([[50], [70]]);
  });

  test("a model of wrapLanguageModel is asked with it too", async () => {
    const id = scripted("wrapped");
    const model = plain.wrapLanguageModel({ model: modelOf(id), middleware: durableMiddleware() as never });
    await hf.run(newId(), () => plain.generateText({ model, prompt: "Go." }), { budget: 500 });
    expect(capsOf(id)).toEqual([50]);
  });

  test("without a budget a request goes out as it is", async () => {
    const id = scripted("free");
    await hf.run(newId(), () => ai.generateText({ model: modelOf(id), prompt: "Go." }));
    expect(capsOf(id)).toEqual([undefined]);
  });

  test("a streamed answer costs what its finish reports, whether or not anybody reads it", async () => {
    const id = newId();
    const { done } = hf.stream(
      id,
      () => ai.streamText({ model: modelOf(scripted("unread")), prompt: "Go." }),
      {
        budget: usd(1),
      },
    );
    await done;
    expect((await hf.runs.get(id)).budget).toMatchObject({ spent: 200, held: 0, estimated: 0 });
  });

  test("a stream that the caller aborts is estimated, and marked so", async () => {
    const model = `${name}-aborted-${newId()}`;
    server.script(model, { text: "Hello there ".repeat(20), endsAfterMs: 60_000 });
    const id = newId();
    const aborting = new AbortController();
    const { value, done } = hf.stream(
      id,
      () => {
        return ai.streamText({
          model: modelOf(model),
          prompt: "Go.",
          abortSignal: aborting.signal,
          onError: () => {},
        });
      },
      { budget: usd(1) },
    );
    const read = async () => {
      for await (const text of value.textStream) if (text.length > 0) aborting.abort(new Error("stop"));
    };
    await read().catch(() => {}); // the first of the fives tells its reader of it
    await done.catch(() => {});
    const { budget } = await hf.runs.get(id);
    expect(budget.held).toBe(0);
    expect(budget.estimated).toBe(budget.spent);
    expect(budget.spent).toBeGreaterThan(0);
    expect(budget.spent).toBeLessThan(usd(0.16));
  });

  test("a request that the provider turns away and the SDK repeats holds nothing", async () => {
    const model = `${name}-busy-${newId()}`;
    server.script(model, { text: "Hello", fails: { times: 1, how: "status" } });
    const id = newId();
    await hf.run(id, () => ai.generateText({ model: modelOf(model), prompt: "Go.", maxRetries: 2 }), {
      budget: usd(1),
    });
    expect((await hf.runs.get(id)).budget).toMatchObject({ spent: 200, held: 0, estimated: 0 });
  });
});
