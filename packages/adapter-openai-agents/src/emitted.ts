import type { EmittedCall } from "@holdfast/core";
import type { Answer } from "./answer.ts";
import { type Approvable, governed } from "./approval.ts";
import { parsed, toolName } from "./arguments.ts";
import { computerCall } from "./computer.ts";
import type { Hold } from "./hold.ts";
import { hostedCall, isApprovalRequest } from "./hosted-mcp.ts";
import { toolKey } from "./request.ts";

/** The calls that an answer asks for. Who makes them is known by the tools that the model was told of. */
export function emittedBy({ output }: Answer, hold: Hold | undefined): EmittedCall[] {
  return output.flatMap((item): EmittedCall[] => {
    const { callId: id, type, name } = item;
    if (hold && isApprovalRequest(item)) return [hostedCall(item, hold)];
    if (typeof id !== "string") return [];
    if (type === "function_call") {
      const named = {
        id,
        name: toolName(item as { name?: unknown; namespace?: unknown }),
        input: item.arguments,
      };
      if (hold?.handoffs.has(String(name))) return [{ ...named, runs: "elsewhere" }];
      return [{ ...named, ...whoRuns(hold, `function ${String(name)}`, id, parsed(item.arguments)) }];
    }
    if (type === "shell_call") return [local("shell", item.action)];
    if (type === "apply_patch_call") return [local("apply_patch", item.operation)];
    if (type === "computer_call") return hold ? computerCall(id, item, hold) : [];
    return [];

    function local(name: string, input: unknown): EmittedCall {
      const [tool] = [...(hold?.tools.values() ?? [])].filter(({ type }) => type === name);
      const runs = tool ? whoRuns(hold, toolKey(tool), id as string, input) : { runs: "elsewhere" as const };
      return { id: id as string, name, input, ...runs };
    }
  });
}

function whoRuns(hold: Hold | undefined, key: string, id: string, input: unknown): Partial<EmittedCall> {
  const tool = hold?.tools.get(key);
  if (!hold) return {};
  return tool ? governed(tool as Approvable, hold, id, input) : { runs: "nowhere" };
}
