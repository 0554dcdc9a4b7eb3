import { expect, test } from "vitest";
import { runDiffText } from "../src/index.ts";
import { port, tool } from "./agent.ts";
import { useHoldfast } from "./opened.ts";
import { newId } from "./store.ts";

const { open } = useHoldfast();

/** Two turns with a tool in between, and a step at the end. */
const agent =
  (system: string, price: number, answer = "paid") =>
  async () => {
    const usage = () => ({ inputTokens: 10, outputTokens: 2 });
    const asks = (messages: readonly unknown[], says: string) =>
      port().step<string>(
        {
          kind: "model",
          name: "acme/m",
          input: { messages },
          usage,
          emits: (said) =>
            said === "look" ? [{ id: crypto.randomUUID(), name: "look_up", input: { id: 7 } }] : [],
        },
        () => says,
      );
    await asks([system], "look");
    const found = await tool("look_up", { id: 7 }, () => ({ price }), { effect: "read" });
    return await asks([system, JSON.stringify(found)], answer);
  };

async function twoRuns(one: () => Promise<unknown>, other: () => Promise<unknown>) {
  const holdfast = await open();
  const [a, b] = [newId(), newId()];
  await holdfast.run(a, one);
  await holdfast.run(b, other);
  return { a, b, diff: await holdfast.diff(a, b), holdfast };
}

test("a run does not differ from itself, nor from another that did the same", async () => {
  const { a, holdfast, diff } = await twoRuns(agent("Be kind.", 5), agent("Be kind.", 5));
  for (const same of [diff, await holdfast.diff(a, a)]) {
    expect(same).toMatchObject({ same: true, input: [], end: [] });
    expect(same.steps.map(({ at }) => at)).toEqual(["same", "same", "same"]);
  }
});

test("a tool that found something else is changed, and what was asked after it has drifted", async () => {
  const { diff } = await twoRuns(agent("Be kind.", 5), agent("Be kind.", 6));
  expect(diff.steps.map(({ at, name }) => `${at} ${name}`)).toEqual([
    "same acme/m",
    "changed look_up",
    "drifted acme/m",
  ]);
  expect(diff.steps[1]?.outcome).toEqual([{ path: "price", lines: ["- 5", "+ 6"] }]);
  expect(diff.steps[2]?.asked).toEqual([{ path: "messages[1]", lines: ['- {"price":5}', '+ {"price":6}'] }]);
});

test("reads as text: a line for each step, and below it how it differs", async () => {
  const { diff, a, b } = await twoRuns(agent("Be kind.", 5), agent("Be exact.", 5, "sold"));
  const text = runDiffText(diff).replace(/\d+ → \d+ ms/g, "? ms");
  expect(text).toBe(
    [
      `${a} → ${b}`,
      "  drifted  model#0  12 → 12 tokens  ? ms",
      "    asked",
      "      messages[0]",
      "      - Be kind.",
      "      + Be exact.",
      "  same     look_up#0  ? ms",
      "  drifted  model#1  12 → 12 tokens  ? ms",
      "    asked",
      "      messages[0]",
      "      - Be kind.",
      "      + Be exact.",
      "    outcome",
      "      - paid",
      "      + sold",
      "    end",
      "      value",
      "      - paid",
      "      + sold",
      "  succeeded → succeeded · calls 3 → 3 · tokens in 20 → 20, out 4 → 4 · ? ms",
    ].join("\n"),
  );
});

test("is data that an API can send", async () => {
  const { diff } = await twoRuns(agent("Be kind.", 5), agent("Be kind.", 6));
  expect(JSON.parse(JSON.stringify(diff))).toMatchObject({ same: false, steps: [{}, { at: "changed" }, {}] });
});
