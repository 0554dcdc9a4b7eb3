import { type Call, current, type Live, type Port } from "@holdfast/core";
import { type Approvable, governed } from "./approval.ts";
import { type Change, redo, watch } from "./context.ts";
import { holdOf } from "./hold.ts";
import type { RunContext } from "./sdk.ts";
import { unlessStopped } from "./stop.ts";

/** An output as it is recorded where its call also changed the context of the run. */
interface Changing {
  readonly $output: unknown;
  readonly $context: Change;
}

/** One call of a tool that runs here: on record, or made now. Outside a run it is just made. */
export async function callTool<T>(
  tool: Approvable | undefined,
  asked: Omit<Call, "kind">,
  runContext: RunContext | undefined,
  work: (live?: Live<unknown>) => Promise<T>,
): Promise<T> {
  const port = current();
  if (!port) return await work();
  const call = toolCall(port, tool, asked);
  const made = async () => {
    const begun = await port.begin<unknown>(call);
    if (begun.at === "recorded") {
      if (isChanging(begun.value)) redo(runContext?.context, begun.value.$context);
      return begun.value;
    }
    return await begun.carryOut(async (live) => {
      const { output, change } = await watch(runContext?.context, () => work(live));
      return change ? ({ $output: output, $context: change } satisfies Changing) : output;
    });
  };
  const value = await unlessStopped(port, made());
  return (isChanging(value) ? value.$output : value) as T; // what `work` gave, as a replay will give it
}

/** The call, with what policy is to know of it. */
export function toolCall(port: Port, tool: Approvable | undefined, asked: Omit<Call, "kind">): Call {
  const hold = holdOf(port);
  const known = tool && hold ? governed(tool, hold, asked.id ?? "", asked.input) : {};
  return { kind: "tool", ...asked, ...known };
}

/**
 * Waits until a call may be made that is no call of its own on record, because somebody else makes it, or what it calls is.
 * Gives what whoever approved it changed its arguments to: null where nobody did. Rejects where it may not be made.
 */
export async function mayCall(port: Port, call: Call): Promise<{ readonly input: unknown } | null> {
  const asked = { ...call, pure: true } as Call<{ readonly input: unknown } | null>;
  const may = async () => {
    const begun = await port.begin(asked);
    if (begun.at === "recorded") return begun.value;
    return await begun.commit(begun.input === call.input ? null : { input: begun.input });
  };
  return await unlessStopped(port, may());
}

function isChanging(value: unknown): value is Changing {
  if (typeof value !== "object" || value === null) return false;
  return "$output" in value && "$context" in value && Object.keys(value).length === 2;
}
