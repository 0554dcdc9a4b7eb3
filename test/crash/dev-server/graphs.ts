import { idempotencyKey, openHoldfast } from "@holdfast/core";
import { withDurability } from "@holdfast/langgraph";
import type { RunnableConfig } from "@langchain/core/runnables";
import { tool } from "@langchain/core/tools";
import { ChatOpenAI } from "@langchain/openai";
import { idioms, type Parts } from "../../../packages/adapter-langgraph/test/graphs.ts";

/* What langgraph.json names: graphs as a program has them that is served by the LangGraph dev server. */

const { MODEL_URL = "", MODEL_ID = "", DOWNSTREAM_URL = "" } = process.env;

const hf = await openHoldfast({
  tools: { step2: { effect: "idempotent" } },
  policy: [{ name: "money", tool: "wire", then: "ask", reason: "it moves money" }],
});
const schema = { type: "object", properties: {}, additionalProperties: true } as const;
const tools = ["step1", "step2", "step3", "wire"].map((name) =>
  tool(
    async (_, { configurable }: RunnableConfig) => {
      const response = await fetch(`${DOWNSTREAM_URL}/${configurable?.thread_id}/${name}`, {
        method: "POST",
        headers: { "idempotency-key": idempotencyKey() },
      });
      return await response.text();
    },
    { name, description: name, schema },
  ),
);
const model = new ChatOpenAI({
  model: MODEL_ID,
  apiKey: "none",
  maxRetries: 0,
  configuration: { baseURL: MODEL_URL },
});
const durable = (make: ((parts: Parts) => ReturnType<(typeof idioms)[string]>) | undefined) =>
  make && withDurability(make({ model, tools }), { holdfast: hf });

export const handWrittenGraph = durable(idioms.StateGraph);
export const agent = durable(idioms.createAgent);
