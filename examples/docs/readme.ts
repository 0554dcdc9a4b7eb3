import { idempotencyKey, openHoldfast } from "@holdfast/core";
import { isStepCount, type LanguageModel, tool } from "ai";
import { z } from "zod";

declare const model: LanguageModel;
declare const shop: {
  refund(input: { orderId: string; cents: number }, key: string): Promise<{ id: string }>;
};

export async function changedLines(): Promise<string> {
  // #region three-lines
  const ai = await import("ai");
  const { hf, withDurability } = await import("@holdfast/vercel-ai"); // 1: the import
  const { generateText } = withDurability(ai); // 2: the wrap

  const text = await hf.run("order-42", () =>
    // 3: the run
    generateText({ model, prompt: "Write a reply to ticket 42." }).then((answer) => answer.text),
  );
  // #endregion
  return text;
}

export async function refund(): Promise<string> {
  const ai = await import("ai");
  const { withDurability } = await import("@holdfast/vercel-ai");
  // #region twenty-lines
  const { generateText } = withDurability(ai);
  const hf = await openHoldfast({
    database: process.env.DATABASE_URL,
    tools: { "lookup_*": { effect: "read" }, issue_refund: { effect: "idempotent" } },
  });

  const issue_refund = tool({
    inputSchema: z.object({ orderId: z.string(), cents: z.int() }),
    execute: (input) => shop.refund(input, idempotencyKey()), // the same key, however often it is dispatched
  });

  const input = { orderId: "42", text: "The kettle arrived broken." };
  const text = await hf.run(
    "ticket-42",
    async () => {
      const prompt = `Order ${input.orderId}: ${input.text}`;
      const answer = await generateText({ model, prompt, tools: { issue_refund }, stopWhen: isStepCount(8) });
      return answer.text;
    },
    { input, onLeased: "wait" },
  );
  // #endregion
  await hf.close();
  return text;
}
