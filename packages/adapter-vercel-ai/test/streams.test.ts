import { HoldfastError } from "@holdfast/core";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { withDurability } from "../src/index.ts";
import { finishPart, partModel, textParts, toolCallPart } from "./part-model.ts";
import { stepCount, versions } from "./versions.ts";
import { newRunId, workbench } from "./workbench.ts";

const { here, open, twice, model } = workbench({ tools: { hang: { effect: "idempotent" } } });

interface Part {
  readonly type: string;
  readonly [field: string]: unknown;
}

const toolTurn = (name: string) => ({ text: "Let me look. ", calls: [{ name, input: { n: 1 } }] });

const inputSchema = z.object({ n: z.number() });

const observations = async (runId: string) =>
  (await here().entries(runId)).filter(({ kind }) => kind === "observation").length;

describe.each(versions)("$name", (version) => {
  const ai = withDurability(version.ai);

  test("a replayed stream gives the parts that the live one gave", async () => {
    const scripted = model(version, toolTurn("look"), { text: "It is there, in the second drawer." });
    const look = { inputSchema, execute: async () => ({ seen: "nothing" }) };
    const options = { model: scripted.model, tools: { look }, prompt: "go", stopWhen: stepCount(ai, 9) };
    const [live, replayed] = (await twice(() => ai.streamText(options))).map(async ({ fullStream }) => {
      const parts: Part[] = [];
      for await (const part of fullStream as AsyncIterable<Part>) {
        if (part.type === "error") throw part.error;
        add(parts, comparable(part) as Part);
      }
      return parts;
    });
    expect((await live)?.map(({ type }) => type)).toEqual(
      expect.arrayContaining(["text-delta", "tool-call", "tool-result", "finish"]),
    );
    expect(await replayed).toEqual(await live);
    expect(scripted.asked()).toHaveLength(2);
  });

  test.each(["streamText", "agent.stream"])("a client that goes away does not stop %s", async (name) => {
    const scripted = model(version, toolTurn("one"), toolTurn("two"), { text: "done" });
    const called: string[] = [];
    const note = (tool: string) => ({ inputSchema, execute: async () => called.push(tool) });
    const settings = {
      model: scripted.model,
      tools: { one: note("one"), two: note("two") },
      stopWhen: stepCount(ai, 9),
    };
    const work = async () => {
      const result =
        name === "streamText"
          ? ai.streamText({ ...settings, prompt: "go" })
          : await new ai.Experimental_Agent(settings).stream({ prompt: "go" });
      const reader = result.toUIMessageStream().getReader();
      await reader.read();
      await reader.cancel();
      return "the client went away";
    };

    await here().run(newRunId(), work);
    expect(called).toEqual(["one", "two"]);
    expect(scripted.asked()).toHaveLength(3);
  });

  test("a stream that nobody reads is driven to its end, be it of text or of an object", async () => {
    const scripted = model(version, { text: '{"city":"Lisbon"}' });
    const hf = here();
    const textRun = newRunId();
    await hf.run(textRun, () => ai.streamText({ model: scripted.model, prompt: "go" }));
    const objectRun = newRunId();
    const schema = z.object({ city: z.string() });
    await hf.run(objectRun, () => ai.streamObject({ model: scripted.model, schema, prompt: "go" }));
    for (const runId of [textRun, objectRun]) {
      expect(await observations(runId)).toBe(1);
    }
  });

  test("hf.stream hands the stream out at once, and replays it", async () => {
    const scripted = model(version, { text: "one two three" });
    const runId = newRunId();
    const hf = here();
    for (const _ of ["live", "replayed"]) {
      const { value, done } = hf.stream(runId, () => ai.streamText({ model: scripted.model, prompt: "go" }));
      let text = "";
      for await (const delta of value.textStream) text += delta;
      await done;
      expect(text).toBe("one two three");
    }
    expect(scripted.asked()).toHaveLength(1);
  });

  test("no tool runs before the answer that asks for it is on record, however early the SDK starts it", async () => {
    const pause = () => new Promise((resolve) => setTimeout(resolve, 20)); // ai 5.0.0 and 6.0.0 use it
    const asks = [toolCallPart("look"), pause, finishPart(version, "tool-calls")];
    const says = [...textParts("done"), finishPart(version, "stop")];
    const { model } = partModel(version, asks, says);
    const runId = newRunId();
    const look = { inputSchema: z.object({}), execute: async () => await observations(runId) };
    const options = { model, tools: { look }, prompt: "go", stopWhen: stepCount(ai, 9) };
    const { steps } = await here().run(runId, () => ai.streamText(options));
    expect((await steps)[0].toolResults[0].output).toBe(1);
  });

  test("the tool calls of an answer that broke off are not made, not even where the SDK makes them", async () => {
    const error = { type: "error", error: new Error("overloaded") };
    const breaks = [toolCallPart("look"), error, finishPart(version, "tool-calls")];
    const says = [...textParts("done"), finishPart(version, "stop")];
    const { model } = partModel(version, breaks, says);
    let looks = 0;
    const look = { inputSchema: z.object({}), execute: async () => ++looks };
    const options = { model, tools: { look }, prompt: "go", stopWhen: stepCount(ai, 9), onError() {} };
    await here().run(newRunId(), () => ai.streamText(options));
    expect(looks).toBe(0);
  });

  test("a stream that ends with the model's error fails its run, though its result is handed out: the next one asks again", async () => {
    const scripted = model(version, { text: "at last", fails: { times: 1, how: "cut" }, endsAfterMs: 20 });
    const runId = newRunId();
    const stream = () =>
      here().stream(runId, () => ai.streamText({ model: scripted.model, prompt: "go", onError() {} }));
    await expect(stream().done).rejects.toBeInstanceOf(Error);
    expect(await here().runs.get(runId)).toMatchObject({ status: "failed" });
    const { value, done } = stream();
    expect(await value.text).toBe("at last");
    await done;
    expect(scripted.asked()).toHaveLength(2);
  });

  test("a model's error that the work got over is on record, and its result is rebuilt with it", async () => {
    const broken = partModel(version, [{ type: "error", error: new Error("overloaded") }]);
    const scripted = model(version, { text: "from the other one" });
    let errors = 0;
    const [first, again] = await twice(async () => {
      const options = { prompt: "go", maxRetries: 0, onError: () => void errors++ };
      await ai.streamText({ ...options, model: broken.model }).consumeStream();
      return ai.streamText({ ...options, model: scripted.model });
    });
    expect(await first.text).toBe("from the other one");
    expect(await again.text).toBe("from the other one");
    expect([errors, broken.seen.requests, scripted.asked().length]).toEqual([2, 1, 1]);
  });

  test("a run whose stream was cut off goes on with a new one", async () => {
    const scripted = model(version, { text: "at last", fails: { times: 1, how: "cut" }, endsAfterMs: 20 });
    const runId = newRunId();
    const run = () =>
      here().run(runId, async () => {
        const result = ai.streamText({ model: scripted.model, prompt: "go", onError() {} });
        for await (const part of result.fullStream) if (part.type === "error") throw part.error;
        return await result.text;
      });
    await expect(run()).rejects.toBeInstanceOf(Error);
    expect(await run()).toBe("at last");
    expect(scripted.asked()).toHaveLength(2);
  });

  test("when the run stops, its streams close", async () => {
    const scripted = model(version, toolTurn("hang"), { text: "never" });
    const hanging = Promise.withResolvers<void>();
    const hang = {
      inputSchema,
      async execute() {
        hanging.resolve();
        await new Promise(() => {});
      },
    };
    const hf = await open();
    const told: string[] = [];
    const callbacks = Object.fromEntries(
      ["onStepFinish", "onFinish", "onError", "onAbort"].map((name) => [name, () => void told.push(name)]),
    );
    const settings = { model: scripted.model, tools: { hang }, stopWhen: stepCount(ai, 9), ...callbacks };
    const options = { ...settings, prompt: "go" };
    const { value, done } = hf.stream(newRunId(), () => ai.streamText(options));
    const types: string[] = [];
    const read = (async () => {
      for await (const { type } of value.fullStream) types.push(type);
    })();
    await hanging.promise;
    await hf.close({ graceSeconds: 0 });
    await expect(done).rejects.toSatisfy((error) => HoldfastError.is(error, "DATABASE_UNAVAILABLE"));
    await read;
    // The first releases of ai 5 know an abort only where the model's own stream breaks off.
    const first = version.name === "ai 5.0.0";
    expect(types.at(-1)).toBe(first ? "error" : "abort");
    expect(told).toEqual(first ? ["onStepFinish", "onError", "onFinish"] : ["onAbort"]);
    expect(scripted.asked()).toHaveLength(1);
  });
});

/** Adds a part, or its text to the part before it: a replay gives a text in one piece. */
function add(parts: Part[], part: Part): void {
  const last = parts.at(-1);
  const field = part.type === "tool-input-delta" ? "delta" : "text";
  if (!part.type.endsWith("-delta") || last?.type !== part.type || last.id !== part.id) parts.push(part);
  else parts[parts.length - 1] = { ...last, [field]: String(last[field]) + String(part[field]) };
}

/** Without what differs between any two executions: timings, the ids and headers of the SDK's own making. */
function comparable(value: unknown): unknown {
  if (typeof value !== "object" || value === null || value instanceof Date) return value;
  if (Array.isArray(value)) return value.map(comparable);
  const varying = ["request", "performance", "callId", "stepPerformance"];
  return Object.fromEntries(
    Object.entries(value)
      .filter(([field]) => !varying.includes(field))
      .map(([field, inner]) => [field, comparable(inner)]),
  );
}
