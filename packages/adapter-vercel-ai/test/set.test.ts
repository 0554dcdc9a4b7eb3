import { describe, expect, onTestFinished, test } from "vitest";
import { z } from "zod";
import { withDurability } from "../src/index.ts";
import { stepCount, versions } from "./versions.ts";
import { newRunId, workbench } from "./workbench.ts";

const { here, model } = workbench({ tools: { look_up: { effect: "read" } } });

describe.each(versions)("$name: a replay", (version) => {
  const ai = withDurability(version.ai);

  /** A recorded run that asks twice, with a tool in between. */
  async function recorded() {
    const turns = [{ calls: [{ name: "look_up", input: { n: 1 } }] }, { text: "found" }] as const;
    const scripted = model(version, ...turns);
    let calls = 0;
    const tools = {
      look_up: {
        inputSchema: z.object({ n: z.number() }),
        execute: async ({ n }: { n: number }) => ++calls && { n },
      },
    };
    const stopWhen = stepCount(ai, 9);
    const work = async (): Promise<string> =>
      (await ai.generateText({ model: scripted.model, system: "Be kind.", prompt: "Go.", tools, stopWhen }))
        .text;
    const id = newRunId();
    await here().run(id, work);
    return { id, work, scripted, turns, calls: () => calls };
  }

  test("asks with another system prompt, in every turn, and calls no tool again", async () => {
    const { id, work, scripted, calls } = await recorded();
    const set = { prompt: "Be exact." };
    const { value, diff } = await here().replay(id, work, { mode: "counterfactual", set });
    expect([value, calls()]).toEqual(["found", 1]);
    const asked = scripted.asked().slice(2);
    expect(asked.map(({ messages }) => messages[0])).toEqual([
      { role: "system", content: "Be exact." },
      { role: "system", content: "Be exact." },
    ]);
    expect(diff.steps.map(({ at, call }) => `${at} ${call}`)).toEqual([
      "drifted model",
      "same tool",
      "drifted model",
    ]);
    expect(JSON.stringify(diff.steps[0]?.asked)).toContain("+ Be exact.");
  });

  test("asks another model", async () => {
    const { id, work, scripted, turns, calls } = await recorded();
    const other = model(version, turns[0], { text: "found by another" });
    const { value } = await here().replay(id, work, { mode: "counterfactual", set: { model: other.model } });
    expect([value, calls(), scripted.asked().length, other.asked().length]).toEqual([
      "found by another",
      1,
      2,
      2,
    ]);
  });

  test("asks a model by its name where the SDK finds one, and says so where it does not", async () => {
    const { id, work, turns } = await recorded();
    const other = model(version, turns[0], { text: "found by name" });
    const named = globalThis as { AI_SDK_DEFAULT_PROVIDER?: unknown };
    named.AI_SDK_DEFAULT_PROVIDER = {
      languageModel: (name: string) => (name === "other" ? other.model : {}),
    };
    onTestFinished(() => void delete named.AI_SDK_DEFAULT_PROVIDER);
    const { value } = await here().replay(id, work, { mode: "counterfactual", set: { model: "other" } });
    expect([value, other.asked().length]).toEqual(["found by name", 2]);
    const { error } = await here().replay(id, work, { mode: "counterfactual", set: { model: "none" } });
    expect(String(error)).toContain("set.model is no language model of the AI SDK, nor the name of one");
  });
});
