import { describe, expect, test } from "vitest";
import { z } from "zod";
import { withDurability } from "../src/index.ts";
import { type Ai, stepCount, type Version, versions } from "./versions.ts";
import { newRunId, workbench } from "./workbench.ts";

const { here, elsewhere, model } = workbench({ tools: { look: { effect: "read" } } });

interface Options {
  readonly abortSignal?: AbortSignal | undefined;
  readonly [option: string]: unknown;
}

const streams: [name: string, ask: (ai: Ai, options: Options) => unknown][] = [
  ["streamText", (ai, options) => ai.streamText({ ...options, prompt: "go" })],
  [
    "agent.stream",
    (ai, { abortSignal, ...settings }) =>
      new ai.Experimental_Agent(settings).stream({ prompt: "go", abortSignal }),
  ],
  [
    "streamObject",
    (ai, { model, abortSignal, onError }) =>
      ai.streamObject({
        model,
        abortSignal,
        onError,
        schema: z.object({ city: z.string() }),
        prompt: "where?",
      }),
  ],
];

const gone = () => new DOMException("The caller has had enough.", "AbortError");

/** What one asks for with a signal of one's own. The signal is aborted once the answer has begun to come. */
function asking(version: Version, ask: (ai: Ai, options: Options) => unknown) {
  const ai = withDurability(version.ai);
  const scripted = model(version, { text: '{"city":"Lisbon"}', endsAfterMs: 60 });
  const runId = newRunId();
  const work = (abortSignal?: AbortSignal) => () =>
    ask(ai, { model: scripted.model, abortSignal, onError() {} });
  return { scripted, runId, work };
}

describe.each(versions)("$name", (version) => {
  describe.each(streams)("%s", (_, ask) => {
    test("a run whose stream the caller's own signal aborted has failed, and its id goes on", async () => {
      const { scripted, runId, work } = asking(version, ask);
      const caller = new AbortController();
      const run = here()
        .run(runId, work(caller.signal))
        .catch((error: unknown) => error);
      const aborted = gone();
      await expect.poll(scripted.asked).toHaveLength(1);
      caller.abort(aborted);
      expect(await run).toBe(aborted);
      expect(await here().runs.get(runId)).toMatchObject({ status: "failed" });

      await elsewhere().run(runId, work());
      expect(await elsewhere().runs.get(runId)).toMatchObject({ status: "succeeded" });
      expect(scripted.asked()).toHaveLength(2);
    });

    test("a signal that fires once the stream has ended aborts nothing", async () => {
      const { scripted, runId, work } = asking(version, ask);
      const caller = new AbortController();
      await here().run(runId, work(caller.signal));
      caller.abort(gone());
      expect(await here().runs.get(runId)).toMatchObject({ status: "succeeded" });
      expect(scripted.asked()).toHaveLength(1);
    });
  });

  test("a signal that fires as soon as the answer is whole aborts nothing", async () => {
    const ai = withDurability(version.ai);
    const scripted = model(version, { text: "done" });
    const caller = new AbortController();
    const onFinish = () => caller.abort(gone());
    const { text } = await here().run(newRunId(), () =>
      ai.streamText({ model: scripted.model, prompt: "go", abortSignal: caller.signal, onFinish }),
    );
    expect(await text).toBe("done");
    expect(caller.signal.aborted).toBe(true);
  });

  test("a run that is aborted while a tool that may be repeated is under way goes on with that tool", async () => {
    const ai = withDurability(version.ai);
    const scripted = model(version, { calls: [{ name: "look", input: {} }] }, { text: "seen" });
    const caller = new AbortController();
    const aborted = gone();
    let looks = 0;
    const look = {
      inputSchema: z.object({}),
      async execute(_: unknown, { abortSignal }: { abortSignal: AbortSignal }) {
        if (++looks > 1) return "the drawer";
        caller.abort(aborted);
        throw abortSignal.reason;
      },
    };
    const runId = newRunId();
    const options = { model: scripted.model, tools: { look }, stopWhen: stepCount(ai, 9), onError() {} };
    const work = (abortSignal?: AbortSignal) => () =>
      ai.streamText({ ...options, prompt: "go", abortSignal });
    await expect(here().run(runId, work(caller.signal))).rejects.toBe(aborted);
    expect(await (await elsewhere().run(runId, work())).text).toBe("seen");
    expect([looks, scripted.asked().length]).toEqual([2, 2]);
  });
});

test.each(versions.filter(({ name }) => ["ai 6.0.326", "ai 7.0.173"].includes(name)))(
  "$name: a stream that outlives its timeout fails its run",
  async (version) => {
    const ai = withDurability(version.ai);
    const scripted = model(version, { text: "too slow", endsAfterMs: 300 });
    const runId = newRunId();
    const work = (timeout: number) => () =>
      ai.streamText({ model: scripted.model, prompt: "go", timeout, onError() {} });
    await expect(here().run(runId, work(30))).rejects.toMatchObject({ name: "AbortError" });
    expect(await (await here().run(runId, work(30_000))).text).toBe("too slow");
  },
);
