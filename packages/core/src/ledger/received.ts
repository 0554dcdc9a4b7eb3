import { decode } from "../codec.ts";
import type { Run } from "./replay.ts";

/** The name of the values that say what a run has received. */
export const RECEIVE = "receive";

/** Messages that were received together, up to the entry of the last one. */
export interface Received {
  readonly upTo: number;
  readonly messages: readonly unknown[];
}

/** What was sent to the run and that none of its recorded values holds. */
export function received(run: Run): Received {
  let from = 0;
  for (const step of run.steps.values()) {
    if (step.at !== "observed" || step.name !== RECEIVE || step.observation.value === undefined) continue;
    const { upTo } = decode(step.observation.value) as { upTo?: unknown };
    if (typeof upTo === "number") from = Math.max(from, upTo);
  }
  const sent = run.messages.filter(({ seq }) => seq > from);
  return {
    upTo: sent.at(-1)?.seq ?? from,
    messages: sent.map(({ value }) => (value === undefined ? undefined : decode(value))),
  };
}
