import { current, type EmittedCall, HoldfastError } from "@holdfast/core";
import { governed, takeOver } from "./approval.ts";
import { currentHold, type Hold } from "./hold.ts";
import { derive } from "./mark.ts";
import { proxyOf } from "./proxy.ts";
import type { ComputerTool, NeedsApproval, OutputItem, RunContext } from "./sdk.ts";
import { callTool, mayCall } from "./tool-call.ts";

/** What a computer does when it is told to. Each is a call of its own: `computer.click`. */
const ACTIONS = ["click", "doubleClick", "drag", "keypress", "move", "screenshot", "scroll", "type", "wait"];

type Method = (...args: unknown[]) => unknown;

/** The same computer tool, with each computer that it gives held. */
export function holdComputer(tool: ComputerTool): ComputerTool {
  const { computer } = tool;
  const held = derive(tool, {
    computer: isMaker(computer) ? holdMaker(computer) : holdActions(computer),
    onSafetyCheck: tool.onSafetyCheck ?? acknowledge, // what nobody else deals with was asked before
  });
  return takeOver(held, tool.needsApproval, () => needsApproval);
}

const acknowledge = () => true;

/**
 * The call of a computer that an answer asks for, where somebody is to be asked about it: its author says so, or the provider
 * warns of it and nobody here deals with that. Its actions are approved together, before the first of them.
 */
export function computerCall(id: string, item: OutputItem, hold: Hold): EmittedCall[] {
  const tool = [...hold.tools.values()].find(({ type }) => type === "computer") as ComputerTool | undefined;
  const input = item.actions ?? [item.action];
  const says = tool && governed(tool, hold, id, input).says;
  const warnings = tool && isOwn(tool) ? [] : warningsIn(item);
  if (!says && warnings.length === 0) return [];
  hold.computerCalls.set(id, item);
  const reason = warnings.map(({ message, code }) => message ?? code).join("; ");
  const warned = { then: "ask", rule: "safetyCheck", reason } as const;
  const own = async () => (warnings.length > 0 ? warned : await says?.());
  return [{ id, name: "computer", input, says: own }];
}

/** Does its author deal with warnings? */
const isOwn = ({ onSafetyCheck }: ComputerTool): boolean =>
  onSafetyCheck !== undefined && onSafetyCheck !== acknowledge;

interface Warning {
  readonly code?: string;
  readonly message?: string;
}

function warningsIn({ providerData }: OutputItem): readonly Warning[] {
  const told = (providerData ?? {}) as Record<"pending_safety_checks" | "pendingSafetyChecks", unknown>;
  const warnings = told.pending_safety_checks ?? told.pendingSafetyChecks;
  return Array.isArray(warnings) ? warnings : [];
}

/** The SDK asks this of every action of a call. What it is to refuse, it wants to be told by way of the context. */
const needsApproval: NeedsApproval = async (runContext, _action, id) => {
  const [port, hold] = [current(), currentHold()];
  const item = hold?.computerCalls.get(id);
  if (!port || !item) return false;
  const [call] = computerCall(id, item, { ...hold, runContext } as Hold);
  if (!call) return false;
  try {
    const changed = await mayCall(port, { kind: "tool", ...call });
    if (!changed) return false;
    refuse("It was approved with other actions: ask for those.");
  } catch (error) {
    if (!HoldfastError.is(error)) throw error;
    refuse(error.message);
  }
  return true;

  function refuse(message: string) {
    const toolName = [...(hold?.tools.values() ?? [])].find(({ type }) => type === "computer")?.name ?? "";
    runContext.rejectTool({ rawItem: item as OutputItem, agent: hold?.agent, toolName }, { message });
  }
};

type Maker = Method | { readonly create: Method };

const isMaker = (computer: object): computer is Maker =>
  typeof computer === "function" || typeof (computer as { create?: unknown }).create === "function";

function holdMaker(maker: Maker): object {
  const holding =
    (make: Method): Method =>
    async (...args) =>
      holdActions((await make(...args)) as object);
  if (typeof maker === "function") return holding(maker);
  return derive(maker, { create: holding((...args) => maker.create(...args)) });
}

const holdActions = (computer: object): object =>
  proxyOf(computer, (name, own) => (ACTIONS.includes(name) ? holdAction(name, own) : undefined));

/** The SDK passes the context last. A screenshot only looks. */
function holdAction(name: string, act: Method): Method {
  return (...args) => {
    const runContext = args.at(-1) as RunContext | undefined;
    const call = {
      name: `computer.${name}`,
      input: args.slice(0, -1),
      ...(name === "screenshot" ? { effect: "read" as const } : {}),
    };
    return callTool(undefined, call, runContext, async () => act(...args));
  };
}
