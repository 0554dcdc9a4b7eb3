import { withDurability } from "@holdfast/langgraph"; // Holdfast, line 1 of 3
import { tool } from "@langchain/core/tools";
import { createReactAgent } from "@langchain/langgraph/prebuilt";
import { ChatOpenAI } from "@langchain/openai";
import { z } from "zod";
import type { Mail } from "../payments.ts";
import { findOrder, refundOrder, sendMail } from "../shop.ts";
import type { Ticket } from "../ticket.ts";

const graph = createReactAgent({
  llm: new ChatOpenAI({
    model: process.env.OPENAI_MODEL || "gpt-4o-mini",
    apiKey: process.env.OPENAI_API_KEY ?? "",
    configuration: { baseURL: process.env.OPENAI_BASE_URL || "https://api.openai.com/v1" },
  }),
  prompt:
    "You answer tickets for a shop. Look up the order. If the goods arrived broken, refund the full amount once, " +
    "then tell the customer by e-mail, once. One tool at a time. End with one sentence about what you did.",
  tools: [
    tool(async ({ orderId }: { orderId: string }) => JSON.stringify(await findOrder(orderId)), {
      name: "lookup_order",
      description: "Look up an order by its number.",
      schema: z.object({ orderId: z.string() }),
    }),
    tool(async (refund: { orderId: string; cents: number }) => JSON.stringify(await refundOrder(refund)), {
      name: "issue_refund",
      description: "Pay money back to the customer.",
      schema: z.object({ orderId: z.string(), cents: z.int().positive() }),
    }),
    tool(async (mail: Mail) => JSON.stringify(await sendMail(mail)), {
      name: "email_customer",
      description: "Send an e-mail to the customer.",
      schema: z.object({ to: z.string(), subject: z.string(), body: z.string() }),
    }),
  ],
});

// Holdfast, line 2 of 3. The condition is the demo's alone: --unprotected runs this file with LangGraph as it is.
const agent = process.env.DEMO_UNPROTECTED ? graph : withDurability(graph);
// Line 3 of 3 is hf.run(…), where the agent is started: worker.ts. On a thread, none would be needed.

export async function supportAgent(ticket: Ticket): Promise<string> {
  const content = `Ticket about order ${ticket.orderId}: ${ticket.text}`;
  const { messages } = await agent.invoke({ messages: [{ role: "user", content }] });
  return messages.at(-1)?.text ?? "";
}
