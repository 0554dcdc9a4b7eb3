import { HoldfastError, idempotencyKey, openHoldfast } from "@holdfast/core";
import { withDurability } from "@holdfast/langgraph";
import { PostgresSaver } from "@langchain/langgraph-checkpoint-postgres";
import { ChatOpenAI } from "@langchain/openai";
import { idioms, lastText, textOf, toolOf } from "../../packages/adapter-langgraph/test/graphs.ts";

/** What a process of these tests is told to do, as JSON in its first argument. */
export interface Task {
  readonly database: string;
  readonly thread: string;
  readonly idiom: string;
  readonly streams?: boolean;
  /** The steps are those of an agent that a tool of the agent calls. */
  readonly isSubAgent?: boolean;
  readonly durability?: "exit" | "sync";
  readonly modelUrl: string;
  readonly modelId: string;
  readonly downstreamUrl: string;
  /** What is declared of step2. The other tools are declared nothing, and so are `once`. */
  readonly step2?: "idempotent" | "once";
  /** The same agent on LangGraph's own Postgres checkpointer, without Holdfast. */
  readonly unprotected?: boolean;
  /** The graph is to go on with what is on its thread. */
  readonly again?: boolean;
}

const task = JSON.parse(process.argv[2] ?? "") as Task;
const say = (at: string, more: object = {}) => process.stdout.write(`${JSON.stringify({ at, ...more })}\n`);

const modelOf = (id: string) =>
  new ChatOpenAI({ model: id, apiKey: "none", maxRetries: 0, configuration: { baseURL: task.modelUrl } });
const steps = ["step1", "step2", "step3"].map((name) => toolOf(name, () => call(name)));
const make = idioms[task.idiom];
if (!make) throw new Error(`there is no ${task.idiom}`);

const checkpointer = task.unprotected ? PostgresSaver.fromConnString(task.database) : undefined;
await checkpointer?.setup();
const graph = task.isSubAgent
  ? make({ model: modelOf(`${task.modelId}-outer`), tools: [toolOf("delegate", delegate)] })
  : make({ model: modelOf(task.modelId), tools: steps, checkpointer });

if (task.unprotected) {
  say("value", { value: await answerOf(graph) });
  process.exit(0);
}

const hf = await openHoldfast({
  database: task.database,
  tools: {
    delegate: { effect: "read" },
    ...(task.step2 === "idempotent" ? { step2: { effect: "idempotent" } } : {}),
  },
});
try {
  say("value", { value: await answerOf(withDurability(graph, { holdfast: hf, onLeased: "wait" })) });
} catch (error) {
  if (!HoldfastError.is(error)) throw error;
  say("refused", { code: error.code, details: error.details });
}
await hf.close();
process.exit(0);

async function answerOf(app: typeof graph) {
  const input = task.again ? null : { messages: [{ role: "user", content: "Do the three steps." }] };
  const { durability } = task;
  const config = { configurable: { thread_id: task.thread }, ...(durability && { durability }) };
  if (!task.streams) return lastText(await app.invoke(input, config));
  let text = "";
  for await (const [message] of await app.stream(input, { ...config, streamMode: "messages" }))
    if (message.getType() === "ai") text += textOf(message);
  return text;
}

/** An agent of its own, in the body of a tool. */
async function delegate(): Promise<string> {
  const agent = make?.({ model: modelOf(task.modelId), tools: steps });
  const messages = [{ role: "user", content: "Do the three steps." }];
  return agent ? lastText(await agent.invoke({ messages })) : "";
}

async function call(name: string): Promise<unknown> {
  const key = task.unprotected ? crypto.randomUUID() : idempotencyKey();
  const response = await fetch(`${task.downstreamUrl}/${task.thread}/${name}`, {
    method: "POST",
    headers: { "idempotency-key": key },
  });
  return await response.json();
}
