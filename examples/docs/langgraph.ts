import { idempotencyKey, openHoldfast } from "@holdfast/core";
import { withDurability } from "@holdfast/langgraph";
import { tool } from "@langchain/core/tools";
import { Command, MessagesAnnotation, START, StateGraph } from "@langchain/langgraph";
import { ToolNode } from "@langchain/langgraph/prebuilt";
import { z } from "zod";

// #region tool
const issue_refund = tool(
  async (input: { orderId: string; cents: number }) => {
    const response = await fetch("https://payments.example/refunds", {
      method: "POST",
      headers: { "content-type": "application/json", "idempotency-key": idempotencyKey() },
      body: JSON.stringify(input),
    });
    return await response.text();
  },
  {
    name: "issue_refund",
    description: "Pay money back to the customer.",
    schema: z.object({ orderId: z.string(), cents: z.int().positive() }),
  },
);
// #endregion

export const graph = new StateGraph(MessagesAnnotation)
  .addNode("tools", new ToolNode([issue_refund]))
  .addEdge(START, "tools")
  .compile();
export const input = { messages: [{ role: "user", content: "Refund order 42." }] };

// #region wrap
const hf = await openHoldfast({
  tools: {
    "lookup_*": { effect: "read" },
    issue_refund: { effect: "idempotent" },
    // what is not named here is once
  },
});
const app = withDurability(graph, { holdfast: hf });
const thread = { configurable: { thread_id: "order-42" } };
const { messages } = await app.invoke(input, thread);
// #endregion
console.log(messages);

// #region resume
await app.invoke(null, thread); // goes on where the last run of the thread stopped
// #endregion

// #region answer
const stopped = await app.invoke(input, thread);
const [asked] = (stopped as { __interrupt__?: { id: string }[] }).__interrupt__ ?? [];
if (asked) {
  const resume = { [asked.id]: { approve: true, by: "ana" } };
  await app.invoke(new Command({ resume }), thread);
}
// #endregion

// #region interrupt
await app.invoke(new Command({ resume: "yes" }), thread);
// #endregion

// #region in-run
const answer = await hf.run("order-42", async () => {
  const state = await app.invoke(input);
  return state.messages.at(-1)?.text;
});
// #endregion
console.log(answer);
