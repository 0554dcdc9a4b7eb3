import { Holdfast, step } from "@holdfast/core";
import { describe, expect, test } from "vitest";
import { durableTools, withDurability } from "../src/index.ts";
import { type Ai, versions } from "./versions.ts";
import { newRunId, workbench } from "./workbench.ts";

const { here, model } = workbench();

const HELD = [
  "Experimental_Agent",
  "ToolLoopAgent",
  "embed",
  "embedMany",
  "experimental_decide",
  "experimental_evaluate",
  "experimental_extract",
  "experimental_generateImage",
  "experimental_generateSpeech",
  "experimental_generateVideo",
  "experimental_transcribe",
  "generateImage",
  "generateObject",
  "generateSpeech",
  "generateText",
  "rerank",
  "streamObject",
  "streamText",
  "transcribe",
];

/** They are refused inside a run. */
const UNHELD = [
  "experimental_cancelBatch",
  "experimental_getBatchResults",
  "experimental_getBatchStatus",
  "experimental_getVideoStatus",
  "experimental_listBatches",
  "experimental_startBatch",
  "experimental_startVideo",
  "experimental_streamLanguageModelCall",
  "experimental_streamSpeech",
  "experimental_streamTextLowMemory",
  "experimental_streamTranscribe",
  "experimental_streamTranslate",
  "uploadFile",
  "uploadSkill",
];

describe.each(versions)("$name", (version) => {
  const ai = withDurability(version.ai);

  test("every name of the module is there, and is the module's own but for those that are held or refused", () => {
    expect(Object.keys(ai).toSorted()).toEqual(Object.keys(version.ai).toSorted());
    const changed = Object.keys(ai).filter((name) => ai[name] !== version.ai[name]);
    expect(changed.toSorted()).toEqual([...HELD, ...UNHELD].filter((name) => name in version.ai).toSorted());
    for (const name of changed) expect(ai[name].name).toBe(version.ai[name].name);
  });

  test("a module that is held is not held twice", () => {
    expect(withDurability(ai)).toBe(ai);
  });

  test("outside a run a call is made as it is", async () => {
    const scripted = model(version, { text: "hello" });
    const options = { model: scripted.model, prompt: "go" };
    const agent = new ai.Experimental_Agent({ model: scripted.model });
    const results = [
      await ai.generateText(options),
      ai.streamText(options),
      await agent.generate({ prompt: "go" }),
      await agent.stream({ prompt: "go" }),
    ];
    for (const result of results) {
      await result.consumeStream?.();
      expect(await result.text).toBe("hello");
    }
    expect(scripted.asked()).toHaveLength(4);
  });
});

test.each(UNHELD)("%s is refused in a run; in a step it is part of what that does", async (name) => {
  const plain = { [name]: async () => "as it is", generateText() {}, streamText() {} };
  const call = withDurability(plain)[name] as () => Promise<string>;
  const refusal = expect.objectContaining({ code: "UNHELD_CALL" });
  await expect(here().run(newRunId(), call)).rejects.toEqual(refusal);
  expect(await here().run(newRunId(), () => step("call", call))).toBe("as it is");
  expect(await call()).toBe("as it is");
});

/** A module of which only what is held is looked at. */
const unlooked = (): Ai =>
  Object.defineProperty({ generateText: async () => "as it is", streamText: () => "as it is" }, "gateway", {
    enumerable: true,
    get() {
      throw new Error("it was looked up");
    },
  }) as never;

test("nothing else of the module is looked up before it is used", () => {
  const ai = withDurability(unlooked());
  expect(Object.keys(ai)).toContain("gateway");
  expect(() => ai.gateway).toThrow("it was looked up");
});

test("outside a run, what is called and what it gives are the SDK's own", () => {
  const result = { text: "hello" };
  const ai = withDurability({ generateText: () => result, streamText: () => result });
  expect(ai.generateText()).toBe(result);
  expect(ai.streamText()).toBe(result);
});

test("outside a run a call is refused where that is asked for, and an async function says so by rejecting", async () => {
  const [version] = versions;
  if (!version) throw new Error("there is no version to test");
  const ai = withDurability(version.ai);
  const { model: unheld } = model(version, { text: "never" });
  await using _refusing = new Holdfast({ outsideRun: "refuse" });

  const refusal = expect.objectContaining({ code: "UNHELD_CALL" });
  await expect(ai.generateText({ model: unheld, prompt: "go" })).rejects.toEqual(refusal);
  await expect(new ai.Experimental_Agent({ model: unheld }).generate({ prompt: "go" })).rejects.toEqual(
    refusal,
  );
  expect(() => ai.streamText({ model: unheld, prompt: "go" })).toThrow("(UNHELD_CALL)");
  const { note } = durableTools({ note: { execute: async (_input: object, _options: object) => "noted" } });
  await expect(note.execute({}, { toolCallId: "call_1" })).rejects.toEqual(refusal);
});
