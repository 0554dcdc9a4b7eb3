import type { Turn } from "../../../packages/adapter-vercel-ai/test/scripted-model.ts";
import { build as langgraph } from "./langgraph.ts";
import { handsOver, build as openaiAgents } from "./openai-agents.ts";
import type { Build } from "./scenes.ts";
import { build as vercelAi } from "./vercel-ai.ts";

export interface Framework {
  readonly build: Build;
  /** What the first agent's model says where another one goes on: absent where it need not say anything. */
  readonly handsOver?: Turn;
}

export const frameworks: Readonly<Record<string, Framework>> = {
  "vercel-ai": { build: vercelAi },
  "openai-agents": { build: openaiAgents, handsOver },
  langgraph: { build: langgraph },
};

export const fileOf = (scene: string) => `${scene.replaceAll(" ", "-")}.jsonl`;
