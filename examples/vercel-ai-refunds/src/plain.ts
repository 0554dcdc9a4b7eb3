import * as ai from "ai";
import { z } from "zod";
import { ScriptedModel } from "./scripted-model.ts";
import { shop } from "./shop.ts";

const { generateText, isStepCount, tool } = ai;

const lookup_order = tool({
  description: "Look up an order by its number.",
  inputSchema: z.object({ orderId: z.string() }),
  execute: ({ orderId }) => shop.lookUp(orderId),
});

const issue_refund = tool({
  description: "Pay money back to the customer.",
  inputSchema: z.object({ orderId: z.string(), cents: z.int().positive() }),
  execute: ({ orderId, cents }) => shop.refund(orderId, cents),
});

const email_customer = tool({
  description: "Send an e-mail to the customer.",
  inputSchema: z.object({ to: z.string(), body: z.string() }),
  execute: ({ to, body }) => shop.email(to, body),
});

const support = (prompt: string) =>
  generateText({
    model: new ScriptedModel(),
    system: "Look up the order, refund what arrived broken, once, and tell the customer by e-mail.",
    prompt,
    tools: { lookup_order, issue_refund, email_customer },
    stopWhen: isStepCount(8),
  });

const ticket = "Order 42: the kettle arrived broken. I would like my money back.";
const { text } = await support(ticket);
console.log(text);
