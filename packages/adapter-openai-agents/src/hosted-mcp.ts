import { current, type EmittedCall, HoldfastError } from "@holdfast/core";
import { parsed } from "./arguments.ts";
import { currentHold, type Hold } from "./hold.ts";
import { derive } from "./mark.ts";
import type { HostedData, HostedTool, OnApproval, OutputItem } from "./sdk.ts";
import { mayCall } from "./tool-call.ts";

/*
 * Tools of a hosted MCP server are called by the provider. Where one needs an approval, the provider's answer asks for it
 * instead, and the next request says what was decided. In a run Holdfast asks, and the SDK is told as if by `onApproval`.
 */

/** The same tool, whose approvals are asked by Holdfast. */
export function holdHostedMcp(tool: HostedTool): HostedTool {
  const { providerData } = tool;
  if (providerData?.type !== "mcp" || providerData.require_approval === "never") return tool;
  const held: HostedData = { ...providerData, on_approval: decide };
  authors.set(held, providerData.on_approval);
  return derive(tool, { providerData: held });
}

/** By what a held tool tells the provider: what its author says. */
const authors = new WeakMap<HostedData, OnApproval | undefined>();

const decide: OnApproval = async (runContext, { rawItem }) => {
  const [port, hold] = [current(), currentHold()];
  if (!port || !hold) throw new Error("An approval is asked for inside a run.");
  const call = hostedCall(rawItem, { ...hold, runContext });
  try {
    const changed = await mayCall(port, { kind: "tool", ...call });
    if (!changed) return { approve: true };
    return { approve: false, reason: "It was approved with other arguments: ask for it with those." };
  } catch (error) {
    if (!HoldfastError.is(error)) throw error;
    return { approve: false, reason: error.message };
  }
};

interface Asked {
  readonly type?: string;
  readonly id?: string;
  readonly name?: string;
  readonly arguments?: unknown;
  readonly server_label?: string;
}

const askedIn = ({ providerData }: OutputItem): Asked => (providerData ?? {}) as Asked;

/** Does the provider ask whether it may call a tool? */
export const isApprovalRequest = (item: OutputItem): boolean =>
  item.type === "hosted_tool_call" &&
  (askedIn(item).type === "mcp_approval_request" || item.name === "mcp_approval_request");

/** The call that an approval is asked for. Its name is the tool's, after the label of its server: `crm.delete_contact`. */
export function hostedCall(item: OutputItem, { servers, agent, runContext }: Hold): EmittedCall {
  const { id = "", name = "", arguments: input, server_label: label = "" } = askedIn(item);
  const server = servers.get(label)?.providerData;
  const author = server && authors.get(server);
  return {
    id,
    name: `${label}.${name}`,
    input: parsed(input),
    says: async () => {
      if (!author) return { then: "ask", rule: "requireApproval" };
      const { approve, reason } = await author(runContext, {
        rawItem: { ...item, id, name },
        agent,
        toolName: name,
      });
      return approve ? undefined : { then: "deny", rule: "onApproval", reason };
    },
  };
}
