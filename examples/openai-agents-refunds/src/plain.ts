import { Agent, handoff, Runner, tool } from "@openai/agents";
import { z } from "zod";
import { ScriptedProvider } from "./scripted-provider.ts";
import { shop } from "./shop.ts";

const lookupOrder = tool({
  name: "lookup_order",
  description: "Look up an order by its number.",
  parameters: z.object({ orderId: z.string() }),
  execute: ({ orderId }) => shop.lookUp(orderId),
});

const issueRefund = tool({
  name: "issue_refund",
  description: "Pay money back to the customer.",
  parameters: z.object({ orderId: z.string(), cents: z.int().positive() }),
  execute: ({ orderId, cents }) => shop.refund(orderId, cents),
});

const emailCustomer = tool({
  name: "email_customer",
  description: "Send an e-mail to the customer.",
  parameters: z.object({ to: z.string(), body: z.string() }),
  execute: ({ to, body }) => shop.email(to, body),
});

const refunds = new Agent({
  name: "Refunds",
  instructions: "Look up the order, refund what arrived broken, once, and tell the customer by e-mail.",
  tools: [lookupOrder, issueRefund, emailCustomer],
});

const triage = new Agent({
  name: "Triage",
  instructions: "Hand tickets about money over to Refunds.",
  handoffs: [handoff(refunds, { onHandoff: () => console.log("ticket handed over") })],
});

const runner = new Runner({ modelProvider: new ScriptedProvider(), tracingDisabled: true });

const ticket = "Order 42: the kettle arrived broken. I would like my money back.";
const result = await runner.run(triage, ticket);
console.log(result.finalOutput);
