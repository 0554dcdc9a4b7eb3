import { idempotencyKey } from "@holdfast/core";
import { withDurability } from "@holdfast/vercel-ai";
import * as plain from "ai";
import { z } from "zod";
import { type Scripts, scripted } from "./model.ts";
import type { World } from "./world.ts";

(globalThis as { AI_SDK_LOG_WARNINGS?: boolean }).AI_SDK_LOG_WARNINGS = false;

const ai = withDurability(plain);

/** What is declared of the agent's tools. `wire` is declared nothing, and so is `once`. */
export const tools = {
  lookup: { effect: "read" },
  refund: { effect: "idempotent" },
  research: { effect: "idempotent" },
} as const;

const scripts: Scripts = {
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
  const model = scripted(scripts, world);
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
        model: model("researcher"),
        tools: { lookup, refund },
        prompt: "Look for orders like it.",
        stopWhen: plain.isStepCount(9),
      });
      return text;
    },
  });

  const clerk = await ai.generateText({
    model: model("clerk"),
    tools: { lookup, refund, wire, research },
    prompt: "Settle orders 42 and 43.",
    stopWhen: plain.isStepCount(9),
  });
  const letter = ai.streamText({
    model: model("writer"),
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
