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
    check_fraud: { effect: "read" },
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
  budget: { onLow: "park" },
  prices: { "scripted.chat/*": { inputPerMillion: usd(100), outputPerMillion: usd(500) } },
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

/** So long does a model think: what is drawn has a length. */
const MODEL_MS = 160;

const slowly: typeof fetch = async (...asked) => {
  await new Promise((resolve) => setTimeout(resolve, MODEL_MS));
  return await fetch(...asked);
};

/** What differs from one release of the agents to the next. */
export interface Release {
  /** How the clerk is prompted. */
  readonly manner?: string;
  /** The bank answers again: what failed is mended. */
  readonly bankAnswers?: boolean;
}

/** The agents of a shop. */
export function registerAgents(
  hf: Holdfast,
  world: World,
  { manner = "Do what the policy allows.", bankAnswers = false }: Release = {},
) {
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
      const provider = createOpenAICompatible({
        ...{ name: "scripted", baseURL: modelUrl, includeUsage: true, fetch: slowly },
      });
      const check_fraud = tool({
        description: "Has another model look at an order",
        inputSchema: z.object({ order: z.number() }),
        execute: async ({ order }) => {
          const prompt = `Does order ${order} look like fraud?`;
          const { text } = await generateText({
            model: provider(`${model}-checker`),
            prompt,
            maxOutputTokens: 200,
          });
          return text;
        },
      });
      const { text } = await generateText({
        model: provider(model),
        tools: { ...tools, check_fraud },
        stopWhen: stepCountIs(9),
        prompt: `A customer asks for a refund of order ${order}. ${manner}`,
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
  const report = hf.agent("report", async ({ fails }: { fails?: boolean }) => {
    if (fails && !bankAnswers)
      throw new Error("the ledger of the bank does not answer: 503 from https://bank.example/ledger");
    return await step("collect", () => 42, { effect: "read" });
  });
  return { support, triage, report };
}
