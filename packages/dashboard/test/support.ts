import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { ask, type Holdfast, type HoldfastOptions, idempotencyKey, step, usd } from "@holdfast/core";
import { withDurability } from "@holdfast/vercel-ai";
import * as sdk from "ai";
import { z } from "zod";

const { generateText, tool, stepCountIs } = withDurability(sdk);

export const options = {
  leaseSeconds: 3,
  graceSeconds: 0.2,
  tools: {
    "lookup_*": { effect: "read" },
    issue_refund: { effect: "idempotent" },
    send_wire: { effect: "once", timeoutMs: 60_000 },
  },
  policy: [
    {
      tool: "issue_refund",
      name: "large refunds are asked about",
      when: ({ input }) => (input as { cents: number }).cents > 50_000,
      then: "ask",
      reason: "more than $500.00",
    },
  ],
  prices: { "scripted.chat/*": { inputPerMillion: usd(3), outputPerMillion: usd(15) } },
  budgets: [{ scope: { tag: "tenant:acme" }, per: "day", cap: usd(5) }],
} satisfies HoldfastOptions;

export interface Ticket {
  readonly order: number;
  readonly model: string;
  readonly modelUrl: string;
  readonly city?: string;
}

/** What happens outside: it is told which tool is called, and answers when it likes. */
export type World = (tool: string, key: string | undefined, input: unknown) => Promise<unknown>;

/** The agents of a shop. */
export function registerAgents(hf: Holdfast, world: World) {
  const tools = {
    lookup_order: tool({
      description: "Looks an order up",
      inputSchema: z.object({ order: z.number() }),
      execute: (input) => world("lookup_order", undefined, input),
    }),
    lookup_customer: tool({
      description: "Looks a customer up",
      inputSchema: z.object({ order: z.number() }),
      execute: (input) => world("lookup_customer", undefined, input),
    }),
    issue_refund: tool({
      description: "Pays money back",
      inputSchema: z.object({ order: z.number(), cents: z.number() }),
      execute: (input) => world("issue_refund", idempotencyKey(), input),
    }),
    send_wire: tool({
      description: "Sends money to a bank account",
      inputSchema: z.object({ order: z.number(), cents: z.number() }),
      execute: (input) => world("send_wire", idempotencyKey(), input),
    }),
  };
  const support = hf.agent(
    "support",
    async ({ order, model, modelUrl }: Ticket) => {
      const provider = createOpenAICompatible({ name: "scripted", baseURL: modelUrl, includeUsage: true });
      const { text } = await generateText({
        model: provider(model),
        tools,
        stopWhen: stepCountIs(9),
        prompt: `A customer asks for a refund of order ${order}. Do what the policy allows.`,
        maxOutputTokens: 500,
      });
      return text;
    },
    { version: "7" },
  );
  const triage = hf.agent("triage", async () => {
    const city = await ask({ question: "Which warehouse ships it?", schema: z.string() });
    return { city };
  });
  const nightly = hf.agent("report", async ({ fails }: { fails?: boolean }) => {
    if (fails)
      throw new Error("the ledger of the bank does not answer: 503 from https://bank.example/ledger");
    return await step("collect", () => 42, { effect: "read" });
  });
  return { support, triage, nightly };
}
