import { current } from "@holdfast/core";
import { lookAhead, takeOver } from "./approval.ts";
import { parsed } from "./arguments.ts";
import { holdComputer } from "./computer.ts";
import { holdFunctionTool, toldTo } from "./function-tool.ts";
import type { Hold } from "./hold.ts";
import { holdHostedMcp } from "./hosted-mcp.ts";
import { derive, isHeld, MARK } from "./mark.ts";
import { toolKey } from "./request.ts";
import type {
  ApplyPatchTool,
  Editor,
  EditorMethod,
  FunctionTool,
  NeedsApproval,
  ShellTool,
  Tool,
} from "./sdk.ts";
import { callTool, mayCall, toolCall } from "./tool-call.ts";

/** By tool: the same one, held. A tool is held once, because the SDK remembers computers by their tool. */
const held = new WeakMap<object, Tool>();

/** The tools of an agent, as the runner is to see them in this lane. */
export async function holdTools(tools: readonly Tool[], hold: Hold): Promise<Tool[]> {
  const all = tools.map((tool) => {
    const known = isHeld(tool) ? tool : (held.get(tool) ?? holdTool(tool));
    held.set(tool, known);
    if (known.type === "hosted_tool") hold.servers.set(known.providerData?.server_label ?? "", known);
    else if (isHeld(known)) hold.tools.set(toolKey(known), known);
    return known;
  });
  for (const tool of all) await lookAhead(tool, hold);
  return all;
}

function holdTool(tool: Tool): Tool {
  switch (tool.type) {
    case "function":
      return typeof tool.on === "function" ? openLane(tool) : holdFunctionTool(tool);
    case "shell":
      return tool.shell ? holdShell(tool, tool.shell) : tool;
    case "apply_patch":
      return holdEditor(tool);
    case "computer":
      return holdComputer(tool);
    case "hosted_tool":
      return holdHostedMcp(tool); // the provider runs it
    default:
      return tool; // nobody here knows it
  }
}

/**
 * An agent as a tool touches nothing itself: what it calls is recorded, in a lane of its own. Of the tool only that it may
 * be called is on record. It is changed in place, because the SDK knows agents of tools by the identity of the tool.
 */
function openLane(tool: FunctionTool): FunctionTool {
  const { invoke, needsApproval } = tool;
  tool.invoke = async (runContext, input, details) => {
    const port = current();
    const id = details?.toolCall?.callId;
    if (!port || id === undefined) return await invoke(runContext, input, details);
    const call = toolCall(port, tool, { name: tool.name, id, input: parsed(input) });
    try {
      const changed = await mayCall(port, call);
      const given = changed ? JSON.stringify(changed.input) : input;
      return await port.lane(`${tool.name} ${id}`, () => invoke(runContext, given, details));
    } catch (error) {
      return toldTo(tool, error);
    }
  };
  takeOver(tool, needsApproval);
  return Object.defineProperty(tool, MARK, { value: true });
}

function holdShell(tool: ShellTool, shell: NonNullable<ShellTool["shell"]>): ShellTool {
  const ids = new WeakMap<object, string>();
  const run = (action: object): Promise<unknown> =>
    callTool(held, { name: "shell", id: ids.get(action), input: action }, undefined, (live) =>
      shell.run((live?.input ?? action) as object),
    );
  const held: ShellTool = takeOver(
    derive(tool, { shell: derive(shell, { run }) }),
    tool.needsApproval,
    noting(ids),
  );
  return held;
}

function holdEditor(tool: ApplyPatchTool): ApplyPatchTool {
  const ids = new WeakMap<object, string>();
  const { editor } = tool;
  const holdMethod = (name: EditorMethod): Editor[EditorMethod] => {
    return (operation, context) => {
      const call = { name: "apply_patch", id: ids.get(operation), input: operation };
      return callTool(held, call, context?.runContext, async (live) =>
        editor[name]((live?.input ?? operation) as object, context),
      );
    };
  };
  const methods: Editor = {
    createFile: holdMethod("createFile"),
    updateFile: holdMethod("updateFile"),
    deleteFile: holdMethod("deleteFile"),
  };
  const held: ApplyPatchTool = takeOver(
    derive(tool, { editor: derive(editor, methods) }),
    tool.needsApproval,
    noting(ids),
  );
  return held;
}

/** What a shell and an editor are to do comes without an id. Whether it needs approval is asked with one, just before. */
function noting(ids: WeakMap<object, string>) {
  return ({ neverAsks }: Hold): NeedsApproval =>
    (runContext, action, callId) => {
      ids.set(action, callId);
      return neverAsks(runContext, action, callId);
    };
}
