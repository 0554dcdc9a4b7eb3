import type { Hold } from "./hold.ts";
import type { Agent, RunContext, Tool } from "./sdk.ts";
import { holdTools } from "./tools.ts";

/** What of a RunState is needed. Its fields are not public, but have been there since 0.8. */
export interface RunState {
  readonly _currentAgent: Agent;
  readonly _context: RunContext;
  readonly _lastProcessedResponse?: Readonly<Record<string, unknown>> | undefined;
}

export const isRunState = (input: unknown): input is RunState =>
  typeof input === "object" && input !== null && "_currentAgent" in input;

/** Under which name an answer that was taken in lists calls of a kind, and each call its tool. */
const CALLS = [
  ["functions", "tool"],
  ["shellActions", "shell"],
  ["applyPatchActions", "applyPatch"],
  ["computerActions", "computer"],
  ["mcpApprovalRequests", "mcpTool"],
] as const;

/** A state that was made outside of `run` (`RunState.fromString`) has its calls bound to tools that are not held. */
export async function rebind({ _context, _lastProcessedResponse }: RunState, hold: Hold): Promise<void> {
  hold.runContext = _context;
  for (const [list, tool] of CALLS) {
    const calls = (_lastProcessedResponse?.[list] ?? []) as Record<typeof tool, Tool>[];
    for (const call of calls) [call[tool]] = (await holdTools([call[tool]], hold)) as [Tool];
  }
}
