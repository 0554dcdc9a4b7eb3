import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { withDurability } from "@holdfast/vercel-ai";
import * as ai from "ai";
import { z } from "zod";

const { generateText } = withDurability(ai);

const provider = createOpenAICompatible({
  name: "openai",
  baseURL: process.env.MODEL_URL ?? "https://api.openai.com/v1",
  apiKey: process.env.OPENAI_API_KEY ?? "",
});

const system = `You answer customers of a kettle shop.
Look an order up before you say anything about it.
Refund what arrived broken, and nothing else.`;

const tools = {
  look_up_order: ai.tool({
    description: "What was ordered, by whom, and how it arrived.",
    inputSchema: z.object({ orderId: z.string() }),
    execute: async ({ orderId }) => ({ orderId, item: "kettle", cents: 3900, customer: "ana@example.com" }),
  }),
  issue_refund: ai.tool({
    description: "Gives the customer the money back.",
    inputSchema: z.object({ orderId: z.string(), cents: z.number().int() }),
    execute: async ({ orderId, cents }) => ({ orderId, refunded: cents }),
  }),
};

/** Answers a customer. */
export async function answer({ message }: { message: string }): Promise<string> {
  const { text } = await generateText({
    model: provider("gpt-4o-mini"),
    instructions: system,
    prompt: message,
    tools,
    stopWhen: ai.isStepCount(5),
  });
  return text;
}
