import { tool } from "@langchain/core/tools";
import { createReactAgent } from "@langchain/langgraph/prebuilt";
import { z } from "zod";
import { ScriptedChat } from "./scripted-chat.ts";
import { shop } from "./shop.ts";

const lookupOrder = tool(async ({ orderId }) => JSON.stringify(shop.lookUp(orderId)), {
  name: "lookup_order",
  description: "Look up an order by its number.",
  schema: z.object({ orderId: z.string() }),
});

const issueRefund = tool(async ({ orderId, cents }) => JSON.stringify(shop.refund(orderId, cents)), {
  name: "issue_refund",
  description: "Pay money back to the customer.",
  schema: z.object({ orderId: z.string(), cents: z.int().positive() }),
});

const emailCustomer = tool(async ({ to, body }) => JSON.stringify(shop.email(to, body)), {
  name: "email_customer",
  description: "Send an e-mail to the customer.",
  schema: z.object({ to: z.string(), body: z.string() }),
});

const agent = createReactAgent({
  llm: new ScriptedChat({}),
  tools: [lookupOrder, issueRefund, emailCustomer],
  prompt: "Look up the order, refund what arrived broken, once, and tell the customer by e-mail.",
});

const ticket = "Order 42: the kettle arrived broken. I would like my money back.";
const input = { messages: [{ role: "user", content: ticket }] };
const thread = { configurable: { thread_id: "ticket-42" } };
const { messages } = await agent.invoke(input, thread);
console.log(messages.at(-1)?.text);
