import type { Hold } from "./hold.ts";
import type { Tool } from "./tool-call.ts";

/*
 * The SDK's own approval: `needsApproval` of a tool (ai 6 and 7), `toolApproval` of a call or an agent (ai 7). It works as
 * it does without us, unless policy has something to say of the call: then that is what is asked, or told, and the SDK
 * asks nothing. So a call is asked about once, by one of the two, and what the SDK approves policy has allowed.
 */

type Approval = (input: unknown, options: CallOptions) => unknown;

interface CallOptions {
  readonly toolCallId: string;
}

/** A tool's `needsApproval`. */
export function holdNeedsApproval(
  name: string,
  tool: Tool,
  find: () => Hold | undefined,
): PropertyDescriptorMap {
  const { needsApproval } = tool;
  if (needsApproval === undefined || needsApproval === null) return {};
  const held: Approval = async (input, options) => {
    const hold = find();
    if (hold && (await isAsked(hold, name, options.toolCallId, input))) return false;
    return typeof needsApproval === "function"
      ? await needsApproval.call(tool, input, options)
      : needsApproval;
  };
  return { needsApproval: { value: held, enumerable: true, configurable: true, writable: true } };
}

/** The `toolApproval` of a call or an agent: one function, or one for each tool. */
export function holdToolApproval(toolApproval: unknown, hold: Hold): unknown {
  if (typeof toolApproval === "function") {
    return async (options: { readonly toolCall: ToolCall }) => {
      const { toolName, toolCallId, input } = options.toolCall;
      return (await isAsked(hold, toolName, toolCallId, input)) ? NONE : await toolApproval(options);
    };
  }
  if (typeof toolApproval !== "object" || toolApproval === null) return toolApproval;
  const held = Object.entries(toolApproval).map(([name, approval]) => {
    const own: Approval = async (input, options) => {
      if (await isAsked(hold, name, options.toolCallId, input)) return NONE;
      return typeof approval === "function" ? await approval(input, options) : approval;
    };
    return [name, own];
  });
  return Object.fromEntries(held);
}

const NONE = "not-applicable";

interface ToolCall extends CallOptions {
  readonly toolName: string;
  readonly input: unknown;
}

/** Does policy ask about the call, or deny it? Known once the answer that asks for the call is on record. */
async function isAsked(hold: Hold, name: string, id: string, input: unknown): Promise<boolean> {
  await hold.answered.get(id);
  return (await hold.port.decides({ kind: "tool", name, id, input })) !== "allow";
}
