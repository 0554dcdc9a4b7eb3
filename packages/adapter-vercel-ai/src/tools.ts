import { outsideRun } from "@holdfast/core";
import { currentHold, type Hold } from "./hold.ts";
import { MARK } from "./mark.ts";
import { holdNeedsApproval } from "./own-approval.ts";
import { type Execute, holdFunction, holdGenerator, type Tool } from "./tool-call.ts";

export type Tools = Readonly<Record<string, Tool>>;

/**
 * The same tools, each call held by the run that it is made in. `withDurability` does this by itself; this is for tools
 * that reach the SDK some other way.
 */
export function durableTools<T extends object>(tools: T): T {
  const find = () => {
    const hold = currentHold();
    if (!hold) outsideRun("a tool of durableTools");
    return hold;
  };
  return holdTools(tools as Tools, find) as T; // only `execute` differs, and it takes and gives the same
}

/** The same tools, held by what `find` finds when one is called. Where it finds nothing they run as they are. */
export function holdTools(tools: Tools, find: () => Hold | undefined): Tools {
  return Object.fromEntries(Object.entries(tools).map(([name, tool]) => [name, holdTool(name, tool, find)]));
}

function holdTool(name: string, tool: Tool, find: () => Hold | undefined): Tool {
  // No `execute`: it runs at the provider or in the browser, and its result comes with the conversation.
  if (typeof tool?.execute !== "function") return tool;
  // A tool that is bound to one call of the framework is bound anew for the next.
  const original = tool.execute[MARK] ?? { tool, execute: tool.execute };
  // The SDK looks at what `execute` returns before it awaits it: a generator function must stay one.
  const generates = original.execute.constructor.name === "AsyncGeneratorFunction";
  const execute: Execute = generates
    ? holdGenerator(name, original, find)
    : holdFunction(name, original, find);
  // By descriptors: a spread would lose what the SDK hides on some tools as non-enumerable properties.
  return Object.create(Object.getPrototypeOf(tool), {
    ...Object.getOwnPropertyDescriptors(tool),
    ...holdNeedsApproval(name, original.tool, find),
    execute: {
      value: Object.assign(execute, { [MARK]: original }),
      enumerable: true,
      configurable: true,
      writable: true,
    },
  });
}
