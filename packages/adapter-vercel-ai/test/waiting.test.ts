import { HoldfastError } from "@holdfast/core";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { withDurability } from "../src/index.ts";
import { type Ai, stepCount, versions } from "./versions.ts";
import { newRunId, workbench } from "./workbench.ts";

const { here, open, model } = workbench();

const asks: [name: string, ask: (ai: Ai, settings: object) => unknown][] = [
  ["generateText", (ai, settings) => ai.generateText({ ...settings, prompt: "go" })],
  ["streamText", (ai, settings) => ai.streamText({ ...settings, prompt: "go" })],
  ["agent.generate", (ai, settings) => new ai.Experimental_Agent(settings).generate({ prompt: "go" })],
  ["agent.stream", (ai, settings) => new ai.Experimental_Agent(settings).stream({ prompt: "go" })],
];

/** A tool of which a repeat would do harm. It never returns; what came of it nobody knows. */
function wire() {
  const called = Promise.withResolvers<void>();
  let calls = 0;
  const execute = async (_: unknown, { abortSignal }: { abortSignal: AbortSignal }) => {
    calls++;
    called.resolve();
    await new Promise((_, reject) => abortSignal.addEventListener("abort", () => reject(abortSignal.reason)));
  };
  return {
    tools: { wire: { inputSchema: z.object({}), execute } },
    called: called.promise,
    calls: () => calls,
  };
}

const waitsFor = (error: unknown) => (HoldfastError.is(error, "RUN_WAITING") ? error.details : undefined);

describe.each(versions)("$name", (version) => {
  const ai = withDurability(version.ai);
  const script = () => model(version, { calls: [{ name: "wire", input: {} }] }, { text: "It was sent." });

  test.each(asks)(
    "%s parks while a call is in doubt, tells no callback of it, and goes on with what is resolved",
    async (name, ask) => {
      const scripted = script();
      const { tools, called, calls } = wire();
      const told: string[] = [];
      const tell = (what: string) => () => void told.push(what);
      const settings = {
        model: scripted.model,
        tools,
        stopWhen: stepCount(ai, 9),
        onError() {},
        onStepFinish: tell("onStepFinish"),
      };
      const work = () =>
        ask(ai, name.startsWith("agent") ? settings : { ...settings, onFinish: tell("onFinish") });
      const runId = newRunId();

      const first = await open();
      first.run(runId, work).catch(() => {}); // it is cut short
      await called;
      await first.close({ graceSeconds: 0 });

      const details = waitsFor(
        await here()
          .run(runId, work)
          .catch((error) => error),
      );
      expect(details).toMatchObject({ waitingOn: "doubt", doubts: [expect.stringContaining("wire")] });
      // The first releases of ai 5 know an abort only where the model's own stream breaks off.
      const toldOfIt = version.name === "ai 5.0.0" && name.includes("stream");
      expect(told.includes("onStepFinish")).toBe(toldOfIt);

      await here().doubts.resolve(
        runId,
        details?.doubts[0] ?? "",
        { happened: { sent: true } },
        { by: "ana" },
      );
      await here().run(runId, work);
      expect(JSON.stringify(scripted.asked()[1]?.messages.at(-1))).toContain("sent");
      expect(scripted.asked()).toHaveLength(2);
      expect(calls()).toBe(1);
    },
  );

  test("a tool that the caller's own signal aborts is in doubt, and is not called again", async () => {
    const scripted = script();
    const { tools, called, calls } = wire();
    const runId = newRunId();
    const caller = new AbortController();
    const work = (abortSignal?: AbortSignal) => () =>
      ai.generateText({
        model: scripted.model,
        tools,
        prompt: "go",
        stopWhen: stepCount(ai, 9),
        abortSignal,
      });
    const run = here().run(runId, work(caller.signal));
    await called;
    caller.abort(new DOMException("The caller went away.", "AbortError"));
    await expect(run).rejects.toBeInstanceOf(Error);

    const details = waitsFor(
      await here()
        .run(runId, work())
        .catch((error) => error),
    );
    expect(details).toMatchObject({ waitingOn: "doubt" });
    expect(calls()).toBe(1);
  });
});
