import type { Ticket } from "../ticket.ts";

interface Module {
  supportAgent(ticket: Ticket): Promise<string>;
}

/** The same agent, as one writes it with each framework. */
export const agents = {
  "vercel-ai": () => import("./vercel-ai.ts"),
  "openai-agents": () => import("./openai-agents.ts"),
  langgraph: () => import("./langgraph.ts"),
} satisfies Record<string, () => Promise<Module>>;

export type Framework = keyof typeof agents;

export const isFramework = (name: string): name is Framework => Object.hasOwn(agents, name);
