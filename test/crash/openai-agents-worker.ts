import { HoldfastError, idempotencyKey, openHoldfast } from "@holdfast/core";
import { withDurability } from "@holdfast/openai-agents";
import { z } from "zod";

/** What a process of these tests is told to do, as JSON in its first argument. */
export interface Task {
  readonly database: string;
  readonly runId: string;
  readonly version: "oldest" | "newest";
  readonly shape: "run" | "stream" | "sub-agent" | "sub-agent stream" | "handoff" | "handoff stream";
  readonly modelUrl: string;
  readonly modelId: string;
  readonly downstreamUrl: string;
  /** What is declared of step2. The other tools are declared nothing, and so are `once`. */
  readonly step2: "idempotent" | "once";
  /** The same agent without Holdfast. */
  readonly unprotected?: boolean;
}

const task = JSON.parse(process.argv[2] ?? "") as Task;
const say = (at: string, more: object = {}) => process.stdout.write(`${JSON.stringify({ at, ...more })}\n`);

// What is used of the two here is alike in both.
const sdk = (await (task.version === "newest"
  ? import("@openai/agents")
  : import("agents-oldest"))) as typeof import("@openai/agents");
const { Agent, Runner, OpenAIProvider, tool } = sdk;
sdk.setTracingDisabled(true);
if (!task.unprotected) withDurability(Runner);

const modelProvider = new OpenAIProvider({ apiKey: "none", baseURL: task.modelUrl, useResponses: false });
const runner = new Runner({ modelProvider });

const step = (name: string) =>
  tool({
    name,
    description: `Does ${name}`,
    parameters: z.object({ n: z.number() }),
    execute: async () => {
      const key = task.unprotected ? crypto.randomUUID() : idempotencyKey();
      const headers = { "idempotency-key": key };
      const response = await fetch(`${task.downstreamUrl}/${task.runId}/${name}`, {
        method: "POST",
        headers,
      });
      return (await response.json()) as object;
    },
  });
const tools = [step("step1"), step("step2"), step("step3")];

function startingAgent() {
  const { modelId: model } = task;
  const worker = new Agent({ name: "Worker", model, tools });
  if (task.shape.startsWith("handoff")) return new Agent({ name: "Triage", model, handoffs: [worker] });
  if (!task.shape.startsWith("sub-agent")) return worker;
  const inner = new Agent({ name: "Inner", model: `${model}-inner`, tools });
  return new Agent({
    name: "Outer",
    model,
    tools: [inner.asTool({ toolName: "ask_inner", toolDescription: "Asks the inner agent" })],
  });
}

async function ask() {
  const agent = startingAgent();
  if (!task.shape.endsWith("stream")) return valueIn(await runner.run(agent, "Do the three steps."));
  const result = await runner.run(agent, "Do the three steps.", { stream: true });
  for await (const _ of result);
  await result.completed;
  return valueIn(result);
}

/** What is read of a result, whole or streamed. */
interface Result {
  readonly finalOutput?: unknown;
  readonly lastAgent: { readonly name: string } | undefined;
  readonly state: { readonly usage: { readonly totalTokens: number } };
}

function valueIn({ finalOutput, lastAgent, state }: Result) {
  return { text: finalOutput, by: lastAgent?.name, totalTokens: state.usage.totalTokens };
}

if (task.unprotected) {
  say("value", { value: await ask() });
  process.exit(0);
}
const hf = await openHoldfast({
  database: task.database,
  tools: task.step2 === "idempotent" ? { step2: { effect: "idempotent" } } : {},
});
try {
  // A worker that died a moment ago still holds the run's lease: wait for it.
  say("value", { value: await hf.run(task.runId, ask, { onLeased: "wait" }) });
} catch (error) {
  if (!HoldfastError.is(error)) throw error;
  say("refused", { code: error.code, details: error.details });
}
await hf.close();
process.exit(0);
