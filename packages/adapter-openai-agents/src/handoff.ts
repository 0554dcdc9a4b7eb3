import { HoldfastError } from "@holdfast/core";
import { parsed } from "./arguments.ts";
import { derive, isHeld } from "./mark.ts";
import type { Agent, Handoff } from "./sdk.ts";
import { callTool } from "./tool-call.ts";

/**
 * The same handoffs. One that was made with `handoff()` may have an `onHandoff`, which is to run once; an agent that is
 * named as it is has none, and handing off to it touches nothing.
 */
export function holdHandoffs(handoffs: readonly Handoff[], agent: Agent): Handoff[] {
  return handoffs.map((handoff) =>
    agent.handoffs?.includes(handoff) && !isHeld(handoff) ? holdHandoff(handoff) : handoff,
  );
}

function holdHandoff(handoff: Handoff): Handoff {
  const onInvokeHandoff: Handoff["onInvokeHandoff"] = async (runContext, args) => {
    await callTool(undefined, { name: handoff.toolName, input: parsed(args) }, runContext, async () => {
      const agent = await handoff.onInvokeHandoff(runContext, args);
      if (agent === handoff.agent) return;
      const why = "it hands off to another agent than it names, and a replay could not know which";
      throw new HoldfastError("UNHELD_CALL", { name: `The handoff ${handoff.toolName}`, why });
    });
    return handoff.agent;
  };
  return derive(handoff, { onInvokeHandoff });
}
