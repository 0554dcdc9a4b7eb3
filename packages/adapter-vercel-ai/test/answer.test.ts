import { expect, test } from "vitest";
import { complete, emittedBy, missing, usageOf } from "../src/answer.ts";
import type { Bound, Hold } from "../src/hold.ts";

const holdWith = (...bound: [string, Bound][]) =>
  ({ bound: new Map(bound), answered: new Map() }) as unknown as Hold;

test("what the provider executes itself is not asked of the SDK", () => {
  const call = { type: "tool-call", toolCallId: "c1", toolName: "look", input: "{}" };
  expect(
    emittedBy(
      [call, { ...call, toolCallId: "c2", providerExecuted: true }, { type: "text", text: "a" }],
      holdWith(["look", { runs: "here" }]),
    ),
  ).toMatchObject([{ id: "c1", name: "look", input: "{}", runs: "here" }]);
});

test("a tool that is not bound to the call is nowhere: the model made it up", () => {
  const call = { type: "tool-call", toolCallId: "c1", toolName: "launch", input: "{}" };
  const hold = holdWith(["look", { runs: "here" }]);
  expect(emittedBy([call], hold)).toMatchObject([{ name: "launch", runs: "nowhere" }]);
  // Where nothing was bound, as by durableTools alone, nobody can say so.
  const { bound: _, ...unbound } = hold;
  expect(emittedBy([call], unbound)[0]?.runs).toBeUndefined();
});

test.each([
  [
    "V2",
    { inputTokens: 109, outputTokens: 20, totalTokens: 129, cachedInputTokens: 40, reasoningTokens: 7 },
    { inputTokens: 109, cachedInputTokens: 40, outputTokens: 20, reasoningTokens: 7 },
  ],
  [
    "V3 and V4",
    {
      inputTokens: { total: 109, noCache: 69, cacheRead: 40, cacheWrite: 0 },
      outputTokens: { total: 20, text: 13, reasoning: 7 },
    },
    { inputTokens: 109, cachedInputTokens: 40, cacheWriteTokens: 0, outputTokens: 20, reasoningTokens: 7 },
  ],
  ["a provider that counts nothing", { inputTokens: undefined, outputTokens: { total: undefined } }, {}],
])("the usage of %s is counted", (_, usage, counted) => {
  expect(usageOf({ usage }, "openai.chat")).toEqual(counted);
});

test("in V2, what Anthropic cached is added to its input, and what Google thought to its output", () => {
  const usage = { inputTokens: 10, outputTokens: 20, cachedInputTokens: 40, reasoningTokens: 7 };
  const providerMetadata = { anthropic: { cacheCreationInputTokens: 5 } };
  expect(usageOf({ usage, providerMetadata }, "anthropic.messages")).toMatchObject({
    inputTokens: 55,
    cacheWriteTokens: 5,
    outputTokens: 20,
  });
  expect(usageOf({ usage }, "google.generative-ai")).toMatchObject({ inputTokens: 10, outputTokens: 27 });
});

test("usage that is not there is not made up", () => {
  expect([usageOf(undefined, "a"), usageOf({ usage: null }, "a")]).toEqual([undefined, undefined]);
});

test("only what the provider left out of an answer's metadata is made up", () => {
  const timestamp = new Date(0);
  expect(missing({ id: "r1", timestamp, modelId: "m" }, "other")).toEqual({});
  expect(missing({ id: "r1", timestamp }, "m")).toEqual({ modelId: "m" });
  expect(missing({}, "m")).toEqual({ id: expect.any(String), timestamp: expect.any(Date), modelId: "m" });
});

test("an answer is recorded without the bodies of its request and response", () => {
  const response = { id: "r1", timestamp: new Date(0), modelId: "m" };
  const answer = { content: [], request: { body: "all that was said" }, response: { ...response, body: {} } };
  expect(complete(answer, "m")).toEqual({ content: [], request: {}, response });
});
