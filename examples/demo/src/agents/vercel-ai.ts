import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { withDurability } from "@holdfast/vercel-ai"; // Holdfast, line 1 of 3
import * as ai from "ai";
import { z } from "zod";
import { findOrder, refundOrder, sendMail } from "../shop.ts";
import type { Ticket } from "../ticket.ts";

// Holdfast, line 2 of 3. The condition is the demo's alone: --unprotected runs this file with the SDK as it is.
const { generateText, isStepCount, tool } = process.env.DEMO_UNPROTECTED ? ai : withDurability(ai);
// Line 3 of 3 is hf.run(…), where the agent is started: worker.ts.

const openai = createOpenAICompatible({
  name: "openai",
  baseURL: process.env.OPENAI_BASE_URL || "https://api.openai.com/v1",
  apiKey: process.env.OPENAI_API_KEY ?? "",
});

export async function supportAgent(ticket: Ticket): Promise<string> {
  const { text } = await generateText({
    model: openai(process.env.OPENAI_MODEL || "gpt-4o-mini"),
    instructions:
      "You answer tickets for a shop. Look up the order. If the goods arrived broken, refund the full amount once, " +
      "then tell the customer by e-mail, once. One tool at a time. End with one sentence about what you did.",
    prompt: `Ticket about order ${ticket.orderId}: ${ticket.text}`,
    stopWhen: isStepCount(8),
    tools: {
      lookup_order: tool({
        description: "Look up an order by its number.",
        inputSchema: z.object({ orderId: z.string() }),
        execute: ({ orderId }) => findOrder(orderId),
      }),
      issue_refund: tool({
        description: "Pay money back to the customer.",
        inputSchema: z.object({ orderId: z.string(), cents: z.int().positive() }),
        execute: (refund) => refundOrder(refund),
      }),
      email_customer: tool({
        description: "Send an e-mail to the customer.",
        inputSchema: z.object({ to: z.string(), subject: z.string(), body: z.string() }),
        execute: (mail) => sendMail(mail),
      }),
    },
  });
  return text;
}
