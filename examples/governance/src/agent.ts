import { idempotencyKey, openHoldfast, usd } from "@holdfast/core";
import { withDurability } from "@holdfast/vercel-ai";
import * as sdk from "ai";
import { MockLanguageModelV4 } from "ai/test";
import { z } from "zod";
import { payments } from "./payments.ts";

const ai = withDurability(sdk);

/** What stands between the agent and the money. */
export const open = () =>
  openHoldfast({
    tools: {
      issue_refund: { effect: "idempotent", cost: ({ cents }: { cents: number }) => usd(cents / 100) },
    },
    policy: [
      { tool: "delete_*", then: "deny", reason: "Nothing is deleted by an agent." },
      { tool: "issue_refund", then: "ask", reason: "It moves money." },
    ],
    budget: { perRun: usd(500), onLow: "park" },
    prices: { scripted: { inputPerMillion: usd(1), outputPerMillion: usd(4) } },
  });

/** The agent, and what it passes on its way: `reach` is told of each. */
export function agent(folder: string, reach: (point: string) => void): Promise<string> {
  const provider = payments(folder);
  const tools = {
    delete_account: ai.tool({ inputSchema: z.object({}), execute: () => "deleted" }),
    issue_refund: ai.tool({
      inputSchema: z.object({ orderId: z.string(), cents: z.int().positive() }),
      execute: (refund) => {
        const outcome = provider.refund(idempotencyKey(), refund);
        reach(`refund ${refund.orderId}`); // the money has moved, and nobody has noted it
        return outcome;
      },
    }),
  };
  const prompt = "Delete the account, refund orders 42 and 43.";
  const stopWhen = sdk.isStepCount(9);
  const model = scripted(reach);
  return ai.generateText({ model, tools, prompt, stopWhen, maxOutputTokens: 100 }).then(({ text }) => text);
}

/** What the model says in each turn. */
const turns = [
  { name: "delete_account", input: {} },
  { name: "issue_refund", input: { orderId: "42", cents: 4_200 } },
  { name: "issue_refund", input: { orderId: "43", cents: 90_000 } },
];

const scripted = (reach: (point: string) => void) =>
  new MockLanguageModelV4({
    provider: "example",
    modelId: "scripted",
    doGenerate: async ({ prompt }) => {
      const n = prompt.filter(({ role }) => role === "assistant").length;
      reach(`turn ${n}`);
      const turn = turns[n];
      return {
        content: turn
          ? [
              {
                type: "tool-call",
                toolCallId: `call_${turn.name}`,
                toolName: turn.name,
                input: JSON.stringify(turn.input),
              },
            ]
          : [{ type: "text", text: "Both orders are refunded. The account I could not delete." }],
        finishReason: { unified: turn ? "tool-calls" : "stop", raw: undefined },
        usage: {
          inputTokens: { total: 100, noCache: 100, cacheRead: 0, cacheWrite: 0 },
          outputTokens: { total: 20, text: 20, reasoning: 0 },
        },
        warnings: [],
      };
    },
  });
