import { type Call, current, type Live } from "@holdfast/core";
import { type Change, redo, watch } from "./context.ts";
import type { RunContext } from "./sdk.ts";
import { unlessStopped } from "./stop.ts";

/** An output as it is recorded where its call also changed the context of the run. */
interface Changing {
  readonly $output: unknown;
  readonly $context: Change;
}

/** One call of a tool that runs here: on record, or made now. Outside a run it is just made. */
export async function callTool<T>(
  call: Omit<Call, "kind">,
  runContext: RunContext | undefined,
  work: (live?: Live<unknown>) => Promise<T>,
): Promise<T> {
  const port = current();
  if (!port) return await work();
  const made = async () => {
    const begun = await port.begin<unknown>({ kind: "tool", ...call });
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

function isChanging(value: unknown): value is Changing {
  if (typeof value !== "object" || value === null) return false;
  return "$output" in value && "$context" in value && Object.keys(value).length === 2;
}
