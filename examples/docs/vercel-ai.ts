import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { idempotencyKey, once, openHoldfast } from "@holdfast/core";
import { durableMiddleware, durableTools, requestInput, withDurability } from "@holdfast/vercel-ai";

// #region wrap
import * as ai from "ai";
import { z } from "zod";

const { generateText, streamText, ToolLoopAgent } = withDurability(ai);
// #endregion

const provider = createOpenAICompatible({ name: "openai", baseURL: "https://api.openai.com/v1", apiKey: "" });
const model = provider("gpt-4o-mini");
const hf = await openHoldfast({
  // #region effects
  tools: {
    "lookup_*": { effect: "read" },
    issue_refund: { effect: "idempotent" },
    // what is not named here is once
  },
  // #endregion
});

// #region tool
const issue_refund = ai.tool({
  description: "Pay money back to the customer.",
  inputSchema: z.object({ orderId: z.string(), cents: z.int().positive() }),
  execute: async (input) => {
    const response = await fetch("https://payments.example/refunds", {
      method: "POST",
      headers: { "content-type": "application/json", "idempotency-key": idempotencyKey() },
      body: JSON.stringify(input),
    });
    return (await response.json()) as { id: string };
  },
});
// #endregion

// #region generate
const text = await hf.run("ticket-42", async () => {
  const answer = await generateText({ model, prompt: "Refund order 42.", tools: { issue_refund } });
  return answer.text;
});
// #endregion
console.log(text);

// #region stream
const { value, done } = hf.stream("chat-7", () => streamText({ model, prompt: "Tell me about order 42." }));
for await (const piece of value.textStream) process.stdout.write(piece);
await done; // the run has ended, and all of it is in the ledger
// #endregion

// #region agent
const support = new ToolLoopAgent({ model, tools: { issue_refund } });
const answer = await hf.run("ticket-43", async () => {
  const { text } = await support.generate({ prompt: "Refund order 43." });
  return text;
});
// #endregion
console.log(answer);

// #region apart
const heldModel = ai.wrapLanguageModel({ model, middleware: durableMiddleware() });
const heldTools = durableTools({ issue_refund });
// #endregion
console.log(heldModel.modelId, Object.keys(heldTools));

const web_search = ai.tool({
  type: "provider",
  isProviderExecuted: true,
  id: "openai.web_search",
  args: {},
  inputSchema: z.object({}),
  outputSchema: z.unknown(),
});
// #region hosted
const news = () =>
  generateText({
    model,
    prompt: "What is new?",
    tools: { web_search },
    providerOptions: { holdfast: { effects: { web_search: "read" } } },
  });
// #endregion
console.log(await hf.run("news-1", async () => (await news()).text));

// #region input
const onboarding = () =>
  generateText({
    model,
    prompt: "Set up the account.",
    tools: { requestInput: requestInput({ schema: z.string(), expiresIn: "2d" }) },
    stopWhen: ai.isStepCount(10),
  });
// #endregion
console.log(await hf.run("account-1", async () => (await onboarding()).text));

// #region callback
const onStepFinish = ({ text }: { text: string }) => once(`saved: ${text}`, () => save(text));
// #endregion
async function save(text: string): Promise<void> {
  console.log(text);
}
console.log(onStepFinish);

await hf.close();
