import { current, type Port } from "@holdfast/core";
import type { Agent, HostedTool, NeedsApproval, OutputItem, RunContext, Tool } from "./sdk.ts";

/** What holds one call of `run`: the lane that it was entered in, and what was found in it. */
export interface Hold {
  readonly port: Port;
  /** The tools that are held, by type and name: a request may tell a model of no other. */
  readonly tools: Map<string, Tool>;
  /** The names by which a model hands off. */
  readonly handoffs: Set<string>;
  /** MCP servers that the provider talks to, by label. */
  readonly servers: Map<string, HostedTool>;
  /** Calls of a computer that an answer asks for and somebody has to be asked about, by id. */
  readonly computerCalls: Map<string, OutputItem>;
  /** The agent whose tools were last looked for: the one whose model answers, and whose calls are made. */
  agent: Agent | undefined;
  /** The context of the SDK's run, once its first tools are looked for: before any model is asked. */
  runContext: RunContext;
  /** The SDK's function for tools that need no approval. */
  neverAsks: NeedsApproval;
}

/** A lane is known by its port: what runs deeper, in the body of a tool or a model, has another one. */
const holds = new WeakMap<Port, Hold>();

/** Opens the hold of the lane that was just entered. */
export function openHold(port: Port): Hold {
  const hold: Hold = {
    port,
    tools: new Map(),
    handoffs: new Set(),
    servers: new Map(),
    computerCalls: new Map(),
    agent: undefined,
    runContext: { context: undefined, usage: {}, isToolApproved: () => undefined, rejectTool() {} },
    neverAsks: async () => false,
  };
  holds.set(port, hold);
  return hold;
}

export function currentHold(): Hold | undefined {
  const port = current();
  return port && holds.get(port);
}

export const holdOf = (port: Port): Hold | undefined => holds.get(port);
