import { current, HoldfastError, type LedgerEntry, type Port, step } from "@holdfast/core";
import { withDurability } from "@holdfast/vercel-ai";
import * as plain from "ai";
import { describe, expect, test, vi } from "vitest";
import { z } from "zod";
import { Child } from "../process.ts";
import { bench, eventually, newRunId, soundLedger } from "./bench.ts";

(globalThis as { AI_SDK_LOG_WARNINGS?: boolean }).AI_SDK_LOG_WARNINGS = false;

const here = bench();
const ai = withDurability(plain);

interface Turn {
  readonly text?: string;
  readonly calls?: readonly { readonly id: string; readonly n: number }[];
  /** The stream breaks off after its words, so many times. */
  readonly breaks?: number;
}

/** A model that says these turns, whoever asks. How many answers it has given already decides which is next. */
function scripted(...turns: readonly Turn[]) {
  const asked: unknown[][] = [];
  const broken = new Map<Turn, number>();
  const say = (prompt: { role: string }[]) => {
    asked.push(prompt);
    const said = turns[prompt.filter(({ role }) => role === "assistant").length] ?? {};
    const calls = (said.calls ?? []).map(({ id, n }) => ({
      type: "tool-call" as const,
      toolCallId: id,
      toolName: "count",
      input: JSON.stringify({ n }),
    }));
    const unified = calls.length > 0 ? ("tool-calls" as const) : ("stop" as const);
    return { said, calls, finish: { finishReason: { unified, raw: undefined }, usage } };
  };
  const model: Exclude<Parameters<typeof plain.generateText>[0]["model"], string> = {
    specificationVersion: "v4",
    provider: "scripted",
    modelId: "bad",
    supportedUrls: {},
    async doGenerate({ prompt }) {
      const { said, calls, finish } = say(prompt);
      const words = said.text === undefined ? [] : [{ type: "text" as const, text: said.text }];
      return { content: [...words, ...calls], ...finish, warnings: [] };
    },
    async doStream({ prompt }) {
      const { said, calls, finish } = say(prompt);
      const times = broken.get(said) ?? 0;
      broken.set(said, times + 1);
      async function* parts() {
        yield { type: "stream-start", warnings: [] };
        yield { type: "text-start", id: "0" };
        yield { type: "text-delta", id: "0", delta: said.text ?? "" };
        yield { type: "text-end", id: "0" };
        yield* calls;
        if (times < (said.breaks ?? 0)) throw new Error("the line went dead");
        yield { type: "finish", ...finish };
      }
      return { stream: ReadableStream.from(parts()) as never };
    },
  };
  return { model, asked };
}

const usage = {
  inputTokens: { total: 1, noCache: 1, cacheRead: 0, cacheWrite: 0 },
  outputTokens: { total: 1, text: 1, reasoning: 0 },
};

const counting = (counted: number[], work: (n: number) => unknown = (n) => n * 10) =>
  plain.tool({
    inputSchema: z.object({ n: z.number() }),
    execute: async ({ n }: { n: number }) => {
      counted.push(n);
      return await work(n);
    },
  });

const generate = (model: ReturnType<typeof scripted>["model"], count: ReturnType<typeof counting>) =>
  ai.generateText({
    model,
    tools: { count },
    prompt: "count",
    stopWhen: plain.isStepCount(9),
    maxRetries: 0,
  });

const outputsOf = async (generated: ReturnType<typeof generate>) =>
  (await generated).steps.flatMap(({ toolResults }) => toolResults.map(({ output }) => output));

const intents = (entries: readonly LedgerEntry[]) => entries.filter(({ kind }) => kind === "intent");

describe("a tool call id that a provider uses again", () => {
  test("in a later turn, with the same arguments, is another call, here and where another process goes on", async () => {
    const { model } = scripted(
      { calls: [{ id: "0", n: 1 }] },
      { calls: [{ id: "0", n: 1 }] },
      { text: "ok" },
    );
    const [runId, counted] = [newRunId(), [] as number[]];
    const [first, second] = [await here.open(), await here.open()];
    const work = (end: () => unknown) => async () => {
      const outputs = await outputsOf(generate(model, counting(counted)));
      await end();
      return outputs;
    };
    const done = Promise.withResolvers<void>();
    const left = first.run(
      runId,
      work(() => {
        done.resolve();
        return new Promise(() => {});
      }),
    );
    left.catch(done.reject);
    await done.promise;
    await first.close({ graceSeconds: 0 });
    expect(
      await second.run(
        runId,
        work(() => {}),
      ),
    ).toEqual([10, 10]);
    expect(counted).toEqual([1, 1]);
    expect(intents(await second.entries(runId))).toHaveLength(2);
  });

  test("in the same turn, for other arguments, diverges: neither call is given the other's result", async () => {
    const { model } = scripted(
      {
        calls: [
          { id: "0", n: 1 },
          { id: "0", n: 2 },
        ],
      },
      { text: "ok" },
    );
    const counted: number[] = [];
    const hf = await here.open();
    const run = hf.run(newRunId(), () => outputsOf(generate(model, counting(counted))));
    await expect(run).rejects.toThrow("(DIVERGED)");
    expect(counted.length).toBeLessThan(2);
  });

  test("in the same turn, for the same arguments, is one call", async () => {
    const calls = [
      { id: "0", n: 1 },
      { id: "0", n: 1 },
    ];
    const { model } = scripted({ calls }, { text: "ok" });
    const counted: number[] = [];
    const hf = await here.open();
    const outputs = await hf.run(newRunId(), () => outputsOf(generate(model, counting(counted))));
    expect(new Set(outputs)).toEqual(new Set([10]));
    expect(counted).toEqual([1]);
  });
});

test.each<[string, () => unknown, string]>([
  ["a string", () => Promise.reject("out of paper"), "out of paper"],
  ["nothing", () => Promise.reject(undefined), ""],
  ["a function", () => Promise.reject(() => 1), ""],
])(
  "a tool that throws %s has thrown: the model is told, and it is not called again",
  async (_, throws, told) => {
    const { model, asked } = scripted({ calls: [{ id: "0", n: 1 }] }, { text: "ok" });
    const [runId, counted] = [newRunId(), [] as number[]];
    const hf = await here.open();
    const run = () => hf.run(runId, async () => (await generate(model, counting(counted, throws))).text);
    expect(await run()).toBe("ok");
    expect(JSON.stringify(asked[1])).toContain(told);
    expect(
      (await hf.entries(runId)).filter((entry) => entry.kind === "observation" && !entry.ok),
    ).toHaveLength(1);
    await soundLedger(hf, runId);
    expect(await run()).toBe("ok");
    expect(counted).toEqual([1]);
  },
);

test("a step that throws a string throws it again from the record", async () => {
  const runId = newRunId();
  const [first, second] = [await here.open(), await here.open()];
  const thrown: unknown[] = [];
  const work = (end: () => unknown) => async () => {
    await step("print", () => Promise.reject("out of paper")).catch((error) => thrown.push(error));
    return await end();
  };
  const done = Promise.withResolvers<void>();
  const left = first.run(
    runId,
    work(() => {
      done.resolve();
      return new Promise(() => {});
    }),
  );
  left.catch(done.reject);
  await done.promise;
  await first.close({ graceSeconds: 0 });
  await second.run(
    runId,
    work(() => {}),
  );
  expect(thrown).toEqual(["out of paper", "out of paper"]);
});

test("a model that fails half way through its stream is asked again by the next run: what it had said is on no record, and its tool was not called", async () => {
  const { model, asked } = scripted(
    { text: "I shall ", calls: [{ id: "0", n: 1 }], breaks: 1 },
    { text: "it is done" },
  );
  const [runId, counted] = [newRunId(), [] as number[]];
  const hf = await here.open();
  const run = () =>
    hf.run(runId, async () => {
      const errors: unknown[] = [];
      const result = ai.streamText({
        model,
        tools: { count: counting(counted) },
        prompt: "count",
        stopWhen: plain.isStepCount(9),
        maxRetries: 0,
        onError: ({ error }) => void errors.push(error),
      });
      let text = "";
      for await (const delta of result.textStream) text += delta;
      if (errors.length > 0) throw errors[0];
      return text;
    });
  await expect(run()).rejects.toThrow("the line went dead");
  expect(counted).toEqual([]);
  const left = await hf.entries(runId);
  expect(left.filter(({ kind }) => kind === "observation" || kind === "intent")).toEqual([]);
  expect(await run()).toBe("I shall it is done");
  expect(counted).toEqual([1]);
  expect(asked).toHaveLength(3);
});

test.each([-1, 1])(
  "a process whose clock is %i hours off keeps its run, and loses it like any other",
  async (hours) => {
    const offMs = hours * 3_600_000;
    const preload = `--import=${new URL("./clock-off.mjs", import.meta.url).href}`;
    const runId = newRunId();
    const off = new Child("faults/two-clocks.ts", [here.url, runId, String(offMs)], {
      NODE_OPTIONS: preload,
      HOLDFAST_CLOCK_OFF_MS: String(offMs),
    });
    const clock = Number((await off.says("clock")).now) - Date.now();
    expect(Math.round(clock / 3_600_000)).toBe(hours);
    await off.says("working");

    // Its lease is a second long: three beats keep it, by the database's clock.
    const beats = async () =>
      Number(
        (await here.sql("select max(beats)::int as beats from holdfast.workers where until > now()"))[0]
          ?.beats,
      );
    const hf = await here.open({ graceSeconds: 0.1 });
    const until = (await beats()) + 5;
    await eventually(async () => (await beats()) >= until);
    await expect(hf.run(runId, () => 1)).rejects.toThrow("(RUN_LEASED)");
    off.tell("go on");
    await off.says("value");
    await off.exited();
    const entries = await hf.entries(runId);
    const ats = entries.map(({ at }) => at.getTime());
    expect(ats).toEqual([...ats].sort((a, b) => a - b)); // by the database's clock, whatever the process' says
    expect(Math.abs((ats[0] ?? 0) - Date.now())).toBeLessThan(1_800_000);

    const dead = new Child("faults/two-clocks.ts", [here.url, `${runId}/dead`, String(offMs)], {
      NODE_OPTIONS: preload,
      HOLDFAST_CLOCK_OFF_MS: String(offMs),
    });
    await dead.says("working");
    await dead.kill("SIGKILL");
    const again = hf.run(`${runId}/dead`, () => step("first", () => "again"), { onLeased: "wait" });
    expect(await again).not.toBe("again");
  },
);

test("two copies of this package in one process are one to the run: its steps, its errors, its lanes", async () => {
  vi.resetModules();
  const copy = await import("@holdfast/core");
  expect(copy.HoldfastError).not.toBe(HoldfastError);
  const hf = await here.open();
  const [runId, calls] = [newRunId(), [] as string[]];
  const value = await hf.run(runId, async () => {
    const port = copy.current() as Port;
    expect(port.runId).toBe(current()?.runId);
    await copy.step("theirs", () => calls.push("theirs"));
    await port.lane("lane", () => step("ours", () => calls.push("ours")));
    return copy.randomUUID();
  });
  const again = await copy.openHoldfast({ database: here.url });
  expect(await again.run(runId, () => "other")).toBe(value);
  const refused = await again.run(runId, () => 1, { input: 1 }).catch((error: unknown) => error);
  expect(HoldfastError.is(refused, "RUN_EXISTS_DIFFERENT")).toBe(true);
  expect(copy.HoldfastError.is(refused, "RUN_EXISTS_DIFFERENT")).toBe(true);
  expect(
    await hf.run(`${runId}/nested`, () => again.run(`${runId}/nested`, () => 1).catch((e) => e.code)),
  ).toBe("RUN_NESTED");
  expect(calls).toEqual(["theirs", "ours"]);
  await again.close();
});
