import { idempotencyKey } from "@holdfast/core";
import { withDurability } from "@holdfast/vercel-ai";
import { z } from "zod";
import type { Ai } from "../../packages/adapter-vercel-ai/test/versions.ts";

/** What a process of these tests is told to do, as JSON in its first argument. */
export interface Task {
  readonly database: string;
  readonly runId: string;
  /** The major version of the AI SDK. */
  readonly major: 5 | 6 | 7;
  readonly shape: "generateText" | "streamText" | "agent.generate" | "agent.stream";
  readonly modelUrl: string;
  readonly modelId: string;
  readonly downstreamUrl: string;
  /** What is declared of step2. The other tools are declared nothing, and so are `once`. */
  readonly step2?: "idempotent" | "once";
  /** The same agent without Holdfast. */
  readonly unprotected?: boolean;
}

export const taskOf = (argument: string | undefined) => JSON.parse(argument ?? "") as Task;

(globalThis as { AI_SDK_LOG_WARNINGS?: boolean }).AI_SDK_LOG_WARNINGS = false;

const sdks = {
  5: () => Promise.all([import("ai-v5"), import("@ai-sdk/openai-compatible-v1")]),
  6: () => Promise.all([import("ai-v6"), import("@ai-sdk/openai-compatible-v2")]),
  7: () => Promise.all([import("ai"), import("@ai-sdk/openai-compatible")]),
};

/** The agent of a user: the SDK, held or not, and the options that are the same for every shape of calling it. */
export async function agentOf(task: Task): Promise<{ ai: Ai; settings: object; prompt: string }> {
  const [sdk, { createOpenAICompatible }] = await sdks[task.major]();
  // The three modules have types of their own; what is used of them here is alike in all.
  const ai = task.unprotected ? (sdk as unknown as Ai) : withDurability(sdk as unknown as Ai);
  const provider = createOpenAICompatible({
    name: "scripted",
    baseURL: task.modelUrl,
    includeUsage: true,
  });
  const tool = (name: string) =>
    ai.tool({
      description: `Does ${name}`,
      inputSchema: z.object({ n: z.number() }),
      execute: () => call(task, name),
    });
  const settings = {
    model: provider(task.modelId),
    tools: { step1: tool("step1"), step2: tool("step2"), step3: tool("step3") },
    stopWhen: (ai.isStepCount ?? ai.stepCountIs)(9),
  };
  return { ai, settings, prompt: "Do the three steps." };
}

async function call({ downstreamUrl, runId, unprotected }: Task, tool: string): Promise<unknown> {
  const key = unprotected ? crypto.randomUUID() : idempotencyKey();
  const response = await fetch(`${downstreamUrl}/${runId}/${tool}`, {
    method: "POST",
    headers: { "idempotency-key": key },
  });
  return await response.json();
}
