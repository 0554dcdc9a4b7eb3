import { withDurability } from "@holdfast/openai-agents"; // Holdfast, line 1 of 3
import { Agent, OpenAIProvider, Runner, setTracingDisabled, tool } from "@openai/agents";
import { z } from "zod";
import { findOrder, refundOrder, sendMail } from "../shop.ts";
import type { Ticket } from "../ticket.ts";

// Holdfast, line 2 of 3. The condition is the demo's alone: --unprotected runs this file with the SDK as it is.
if (!process.env.DEMO_UNPROTECTED) withDurability(Runner);
// Line 3 of 3 is hf.run(…), where the agent is started: worker.ts.

setTracingDisabled(true); // traces would go to the provider's own service
const runner = new Runner({
  modelProvider: new OpenAIProvider({
    baseURL: process.env.OPENAI_BASE_URL || "https://api.openai.com/v1",
    apiKey: process.env.OPENAI_API_KEY ?? "",
    useResponses: false,
  }),
});

const support = new Agent({
  name: "Support",
  model: process.env.OPENAI_MODEL || "gpt-4o-mini",
  instructions:
    "You answer tickets for a shop. Look up the order. If the goods arrived broken, refund the full amount once, " +
    "then tell the customer by e-mail, once. One tool at a time. End with one sentence about what you did.",
  tools: [
    tool({
      name: "lookup_order",
      description: "Look up an order by its number.",
      parameters: z.object({ orderId: z.string() }),
      execute: ({ orderId }) => findOrder(orderId),
    }),
    tool({
      name: "issue_refund",
      description: "Pay money back to the customer.",
      parameters: z.object({ orderId: z.string(), cents: z.int().positive() }),
      execute: (refund) => refundOrder(refund),
    }),
    tool({
      name: "email_customer",
      description: "Send an e-mail to the customer.",
      parameters: z.object({ to: z.string(), subject: z.string(), body: z.string() }),
      execute: (mail) => sendMail(mail),
    }),
  ],
});

export async function supportAgent(ticket: Ticket): Promise<string> {
  const { finalOutput } = await runner.run(support, `Ticket about order ${ticket.orderId}: ${ticket.text}`);
  return finalOutput ?? "";
}
