import type { RunDiff } from "../api/queries.ts";
import { containersOf } from "../timeline/path.ts";

export type StepDiff = RunDiff["steps"][number];
export type Part = RunDiff["input"][number];

/** Steps of one lane that follow each other. */
export interface LaneDiff {
  /** For people: `generateText › check_fraud › generateText`. Empty: the run itself. */
  readonly lane: string;
  readonly steps: readonly StepDiff[];
}

/** A difference in the order of the runs, lane by lane. */
export function byLane(steps: readonly StepDiff[]): LaneDiff[] {
  const lanes: { lane: string; steps: StepDiff[] }[] = [];
  for (const step of steps) {
    const lane = containersOf(step.a ?? step.b ?? "")
      .map(({ label }) => label)
      .join(" › ");
    const last = lanes.at(-1);
    if (last?.lane === lane) last.steps.push(step);
    else lanes.push({ lane, steps: [step] });
  }
  return lanes;
}

/** Ids that providers and frameworks make up, headers and instants: in model calls they differ between any two runs. */
const MADE_UP =
  /(^|\.)(id|(toolCall|call|message|response)Id|(tool_call|call|message|response)_id|timestamp|created(_at)?)$|(^|\.)headers(\.|$)/;
/** What tools were given and gave back: an id in there may be an order's. */
const OF_TOOLS = /(^|\.)(input|output|args|arguments|result|value)(\.|\[|$)/;

/** What is worth reading, and what differs between any two runs. */
export function sorted(
  parts: readonly Part[],
  call: StepDiff["call"],
): { readonly telling: readonly Part[]; readonly madeUp: readonly Part[] } {
  const isMadeUp = ({ path }: Part) => call === "model" && MADE_UP.test(path) && !OF_TOOLS.test(path);
  return { telling: parts.filter((part) => !isMadeUp(part)), madeUp: parts.filter(isMadeUp) };
}
