import { neverAsksOf } from "./approval.ts";
import { holdHandoffs } from "./handoff.ts";
import { currentHold } from "./hold.ts";
import { keyOfCall } from "./key.ts";
import { isHeld, MARK, replaceMethod } from "./mark.ts";
import { holdModel } from "./model.ts";
import type { HostedEffects } from "./request.ts";
import type { Agent, Callable, Handoff, McpServer, Model, NeedsApproval, RunContext, Tool } from "./sdk.ts";
import { holdTools } from "./tools.ts";

/** Prototypes whose methods are replaced: of `Agent`, in this copy of the SDK, and of classes that extend it. */
const done = new WeakSet<object>();

/** Holds what an agent asks its model with, wherever the runner comes to it. */
export function holdAgent(agent: Agent, hosted: HostedEffects): void {
  if (isModel(agent.model)) holdModel(agent.model, hosted);
  holdKind(agent, hosted);
}

/**
 * Replaces, for all agents of this kind, how the runner finds their tools and handoffs: it does so before each model
 * call, for every agent that it comes to. No agent is changed. Outside a run they find what they found before.
 */
function holdKind(agent: Agent, hosted: HostedEffects): void {
  for (
    let kind = Object.getPrototypeOf(agent);
    kind && kind !== Object.prototype;
    kind = Object.getPrototypeOf(kind)
  ) {
    if (done.has(kind)) continue;
    done.add(kind);
    if (Object.hasOwn(kind, "getAllTools")) replaceMethod(kind, "getAllTools", findTools(kind.getAllTools));
    if (Object.hasOwn(kind, "getEnabledHandoffs")) {
      replaceMethod(kind, "getEnabledHandoffs", findHandoffs(kind.getEnabledHandoffs, hosted));
    }
  }
}

function findTools(find: Callable) {
  let neverAsks: NeedsApproval | undefined;
  return async function getAllTools(
    this: Agent,
    runContext: RunContext,
    ...rest: unknown[]
  ): Promise<Tool[]> {
    const hold = currentHold();
    if (hold) {
      hold.runContext = runContext;
      hold.agent = this;
      hold.neverAsks = neverAsks ??= neverAsksOf(this);
      for (const server of this.mcpServers ?? []) passOnKeys(server);
    }
    const tools = (await Reflect.apply(find, this, [runContext, ...rest])) as Tool[];
    return hold ? await holdTools(tools, hold) : tools;
  };
}

function findHandoffs(find: Callable, hosted: HostedEffects) {
  return async function getEnabledHandoffs(this: Agent, ...args: unknown[]): Promise<Handoff[]> {
    const handoffs = (await Reflect.apply(find, this, args)) as Handoff[];
    const hold = currentHold();
    if (!hold) return handoffs;
    for (const { agent, toolName } of handoffs) {
      holdAgent(agent, hosted);
      hold.handoffs.add(toolName);
    }
    return holdHandoffs(handoffs, this);
  };
}

export const isModel = (model: unknown): model is Model => typeof model === "object" && model !== null;

/** What an MCP server finds the idempotency key of a call under, in its `_meta`. */
const META = "holdfast/idempotency-key";

function passOnKeys(server: McpServer): void {
  if (isHeld(server)) return;
  const { toolMetaResolver } = server;
  server.toolMetaResolver = async (context) => {
    const meta = await toolMetaResolver?.call(server, context);
    const key = keyOfCall();
    return key === undefined ? meta : { ...meta, [META]: key };
  };
  Object.defineProperty(server, MARK, { value: true });
}
