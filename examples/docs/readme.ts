import { idempotencyKey, openHoldfast } from "@holdfast/core";
import { withDurability } from "@holdfast/vercel-ai";
import * as ai from "ai";
import { z } from "zod";

declare const model: ai.LanguageModel;
declare const shop: {
  refund(input: { orderId: string; cents: number }, key: string): Promise<{ id: string }>;
};

export async function refund(): Promise<string> {
  // #region twenty-lines
  const { generateText } = withDurability(ai);
  const hf = await openHoldfast({
    database: process.env.DATABASE_URL,
    tools: { "lookup_*": { effect: "read" }, issue_refund: { effect: "idempotent" } },
  });

  const issue_refund = ai.tool({
    inputSchema: z.object({ orderId: z.string(), cents: z.int() }),
    execute: (input) => shop.refund(input, idempotencyKey()), // the same key, however often it is dispatched
  });

  const input = { orderId: "42", text: "The kettle arrived broken." };
  const text = await hf.run(
    "ticket-42",
    async () => {
      const prompt = `Order ${input.orderId}: ${input.text}`;
      const answer = await generateText({
        model,
        prompt,
        tools: { issue_refund },
        stopWhen: ai.isStepCount(8),
      });
      return answer.text;
    },
    { input, onLeased: "wait" },
  );
  // #endregion
  await hf.close();
  return text;
}
