import { current } from "@holdfast/core";
import { holdComputer } from "./computer.ts";
import { holdFunctionTool } from "./function-tool.ts";
import type { Hold } from "./hold.ts";
import { derive, isHeld, MARK } from "./mark.ts";
import { toolKey } from "./request.ts";
import type {
  ApplyPatchTool,
  ComputerTool,
  Editor,
  EditorMethod,
  FunctionTool,
  Invoke,
  ShellTool,
  Tool,
} from "./sdk.ts";
import { callTool } from "./tool-call.ts";

/** By tool: the same one, held. A tool is held once, because the SDK remembers computers by their tool. */
const held = new WeakMap<object, Tool>();

/** The tools of an agent, as the runner is to see them in this lane. */
export function holdTools(tools: readonly Tool[], hold: Hold): Tool[] {
  return tools.map((tool) => {
    const known = isHeld(tool) ? tool : (held.get(tool) ?? holdTool(tool));
    held.set(tool, known);
    if (known.type !== "hosted_tool" && isHeld(known)) hold.tools.add(toolKey(known));
    return known;
  });
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
      return holdComputer(tool as ComputerTool);
    default:
      return tool; // the provider runs it
  }
}

/**
 * An agent as a tool is no call of its own: what it calls is recorded, in a lane of its own. It is changed in place,
 * because the SDK knows agents of tools by the identity of the tool.
 */
function openLane(tool: FunctionTool): FunctionTool {
  const { invoke } = tool;
  const inLane: Invoke = (runContext, input, details) => {
    const port = current();
    const id = details?.toolCall?.callId;
    const work = () => invoke(runContext, input, details);
    return port && id !== undefined ? port.lane(`${tool.name} ${id}`, work) : work();
  };
  tool.invoke = inLane;
  return Object.defineProperty(tool, MARK, { value: true });
}

function holdShell(tool: ShellTool, shell: NonNullable<ShellTool["shell"]>): ShellTool {
  const ids = new WeakMap<object, string>();
  const run = (action: object) =>
    callTool({ name: "shell", id: ids.get(action), input: action }, undefined, () => shell.run(action));
  return derive(tool, { shell: derive(shell, { run }), needsApproval: noting(ids, tool) });
}

function holdEditor(tool: ApplyPatchTool): ApplyPatchTool {
  const ids = new WeakMap<object, string>();
  const { editor } = tool;
  const holdMethod = (name: EditorMethod): Editor[EditorMethod] => {
    return (operation, context) => {
      const call = { name: "apply_patch", id: ids.get(operation), input: operation };
      return callTool(call, context?.runContext, async () => editor[name](operation, context));
    };
  };
  const methods: Editor = {
    createFile: holdMethod("createFile"),
    updateFile: holdMethod("updateFile"),
    deleteFile: holdMethod("deleteFile"),
  };
  return derive(tool, { editor: derive(editor, methods), needsApproval: noting(ids, tool) });
}

/** What a shell and an editor are to do comes without an id. Whether it needs approval is asked with one, just before. */
function noting(ids: WeakMap<object, string>, tool: ShellTool | ApplyPatchTool): ShellTool["needsApproval"] {
  return (runContext, action, callId) => {
    ids.set(action, callId);
    return tool.needsApproval(runContext, action, callId);
  };
}
