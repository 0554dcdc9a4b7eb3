import type { Governed } from "@holdfast/core";
import { currentHold, type Hold } from "./hold.ts";
import type { Agent, ApplyPatchTool, ComputerTool, FunctionTool, NeedsApproval, ShellTool } from "./sdk.ts";

/*
 * The SDK's own approval. Where it asks, `run` comes back with `interruptions`, and whoever called keeps its state and
 * goes on with that. In a run the same question is asked by Holdfast, with what policy asks: the process may exit, another
 * may answer, a third may go on. So the SDK hears that nothing needs an approval, and what the tool's author says is asked
 * when an answer wants the call.
 */

export type Approvable = FunctionTool | ShellTool | ApplyPatchTool | ComputerTool;

/** By tool that is held: what its author says. */
const authors = new WeakMap<object, NeedsApproval>();

/** By what an author says, where that is always the same: what it is. */
const always = new WeakMap<NeedsApproval, boolean>();

/** Outside a run, the tool goes on to ask as its author wrote it. `inRun` is what the SDK is told instead. */
export function takeOver<T extends Approvable>(
  tool: T,
  author: NeedsApproval,
  inRun: (hold: Hold) => NeedsApproval = ({ neverAsks }) => neverAsks,
): T {
  authors.set(tool, author);
  return Object.defineProperty(tool, "needsApproval", {
    configurable: true,
    enumerable: true,
    get() {
      const hold = currentHold();
      return hold ? inRun(hold) : author;
    },
  });
}

/**
 * The function that the SDK gives a tool which needs no approval: it knows by the function itself that nothing has to be
 * asked, not even of arguments that it cannot read.
 */
export const neverAsksOf = (agent: Agent): NeedsApproval =>
  agent.asTool({ toolName: "never", toolDescription: "" }).needsApproval;

/** Asks ahead where the SDK made the function of `true`, `false` or nothing: then it is the one that never asks, but for that. */
export async function lookAhead(tool: object, { neverAsks, runContext }: Hold): Promise<void> {
  const author = authors.get(tool);
  if (!author || always.has(author) || String(author) !== String(neverAsks)) return;
  always.set(author, await author(runContext, {}, ""));
}

/** What policy is to know of a call of this tool. */
export function governed(tool: Approvable, { runContext }: Hold, id: string, input: unknown): Governed {
  const known: Governed = tool.type === "function" ? { schema: () => tool.parameters } : {};
  const author = authors.get(tool);
  if (!author || always.get(author) === false) return known;
  const says = async () => {
    // It may have been said before the run, in a state that the SDK interrupted.
    if (runContext.isToolApproved({ toolName: tool.name, callId: id })) return undefined;
    // Of a computer, several actions may be one call.
    const actions = Array.isArray(input) ? input : [input];
    const asks = await Promise.all(actions.map((action: object) => author(runContext, action, id)));
    return asks.includes(true) ? ({ then: "ask", rule: "needsApproval" } as const) : undefined;
  };
  return { ...known, says };
}
