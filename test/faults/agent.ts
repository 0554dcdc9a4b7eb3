import { idempotencyKey } from "@holdfast/core";
import { withDurability } from "@holdfast/vercel-ai";
import * as plain from "ai";
import { z } from "zod";
import type { World } from "./world.ts";

(globalThis as { AI_SDK_LOG_WARNINGS?: boolean }).AI_SDK_LOG_WARNINGS = false;

const ai = withDurability(plain);

/** What is declared of the agent's tools. `wire` is declared nothing, and so is `once`. */
export const tools = {
  lookup: { effect: "read" },
  refund: { effect: "idempotent" },
  research: { effect: "idempotent" },
} as const;

interface Turn {
  readonly text?: string;
  readonly calls?: readonly { readonly name: string; readonly input: object }[];
}

/** By model, what it says in each turn. How many answers the conversation holds decides which turn is next. */
const scripts: Readonly<Record<string, readonly Turn[]>> = {
  clerk: [
    {
      calls: [
        { name: "lookup", input: { order: "42" } },
        { name: "refund", input: { order: "42" } },
        { name: "wire", input: { order: "42" } },
        { name: "research", input: { order: "42" } },
      ],
    },
    { calls: [{ name: "wire", input: { order: "43" } }] },
    { text: "Both orders are settled." },
  ],
  researcher: [
    {
      calls: [
        { name: "lookup", input: { order: "41" } },
        { name: "refund", input: { order: "41" } },
      ],
    },
    { text: "Order 41 was refunded as well." },
  ],
  writer: [
    { text: "Dear Ana, ", calls: [{ name: "refund", input: { order: "7" } }] },
    { text: "it is done." },
  ],
};

/** A user's agent: four tools side by side, one of which is an agent itself, and a stream at the end. */
export async function settleOrders(world: World) {
  const acting = (name: string) =>
    plain.tool({
      inputSchema: z.object({ order: z.string() }),
      execute: ({ order }: { order: string }) => world.act(name, order, idempotencyKey()),
    });
  const [refund, wire] = [acting("refund"), acting("wire")];
  const lookup = plain.tool({
    inputSchema: z.object({ order: z.string() }),
    execute: async ({ order }: { order: string }) => await world.read("lookup", order),
  });
  const research = plain.tool({
    inputSchema: z.object({ order: z.string() }),
    async execute() {
      const { text } = await ai.generateText({
        model: model("researcher", world),
        tools: { lookup, refund },
        prompt: "Look for orders like it.",
        stopWhen: plain.isStepCount(9),
      });
      return text;
    },
  });

  const clerk = await ai.generateText({
    model: model("clerk", world),
    tools: { lookup, refund, wire, research },
    prompt: "Settle orders 42 and 43.",
    stopWhen: plain.isStepCount(9),
  });
  const letter = ai.streamText({
    model: model("writer", world),
    tools: { refund },
    prompt: `Write to Ana: ${clerk.text}`,
    stopWhen: plain.isStepCount(9),
    onError() {},
  });
  let streamed = "";
  for await (const delta of letter.textStream) streamed += delta;
  const steps = [...clerk.steps, ...(await letter.steps)];
  return {
    text: clerk.text,
    streamed,
    outputs: steps.flatMap(({ toolResults }) =>
      toolResults.map(({ toolName, output }) => ({ toolName, output })),
    ),
  };
}

type Model = Exclude<Parameters<typeof plain.generateText>[0]["model"], string>;

/** A model in this process. Every answer is paid for as it is given, and its tool call ids are new each time. */
function model(id: string, world: World): Model {
  const answer = async (prompt: readonly { role: string }[]) => {
    const turn = prompt.filter(({ role }) => role === "assistant").length;
    const said = scripts[id]?.[turn];
    if (!said) throw new Error(`${id} has no turn ${turn}`);
    await world.pay(`${id}/${turn}`);
    const calls = (said.calls ?? []).map(({ name, input }) => ({
      type: "tool-call" as const,
      toolCallId: crypto.randomUUID(),
      toolName: name,
      input: JSON.stringify(input),
    }));
    const unified = calls.length > 0 ? ("tool-calls" as const) : ("stop" as const);
    return { text: said.text, calls, finish: { finishReason: { unified, raw: undefined }, usage }, turn };
  };
  return {
    specificationVersion: "v4",
    provider: "scripted",
    modelId: id,
    supportedUrls: {},
    async doGenerate({ prompt }) {
      const { text, calls, finish } = await answer(prompt);
      const words = text === undefined ? [] : [{ type: "text" as const, text }];
      return { content: [...words, ...calls], ...finish, warnings: [] };
    },
    async doStream({ prompt }) {
      const { text = "", calls, finish } = await answer(prompt);
      const words = text.match(/\S+\s*/g) ?? [];
      const parts = [
        { type: "stream-start" as const, warnings: [] },
        { type: "text-start" as const, id: "0" },
        ...words.map((delta) => ({ type: "text-delta" as const, id: "0", delta })),
        { type: "text-end" as const, id: "0" },
        ...calls,
        { type: "finish" as const, ...finish },
      ];
      return { stream: ReadableStream.from(parts) as never };
    },
  };
}

const usage = {
  inputTokens: { total: 10, noCache: 10, cacheRead: 0, cacheWrite: 0 },
  outputTokens: { total: 5, text: 5, reasoning: 0 },
};
