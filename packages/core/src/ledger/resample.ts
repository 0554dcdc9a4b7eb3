import { parseKey } from "./key.ts";
import type { Run, Step } from "./replay.ts";

/**
 * The steps that are done anew when a run, or one lane of it, is tried again: model answers after the last intent of
 * their lane, for it may be what they said that failed. Never an answer that led to an effect, nor an effect. A step of
 * the user's own code that only reads, or says that it may be repeated, is done anew where it is the last and it failed.
 */
export function resampledSteps(run: Run, lane?: string): string[] {
  const last = new Map<string, number>();
  const steps = [...run.steps.values()];
  for (const step of steps) {
    if (!("intent" in step) || !step.intent || hasFailed(step)) continue;
    const at = parseKey(step.key).lane;
    last.set(at, Math.max(last.get(at) ?? 0, step.intent.seq));
  }
  return steps
    .filter((step) => step.at === "observed" && (step.observation.call === "model" || hasFailed(step)))
    .filter(
      (step) => step.at === "observed" && step.observation.seq > (last.get(parseKey(step.key).lane) ?? 0),
    )
    .filter((step) => lane === undefined || step.key === lane || step.key.startsWith(`${lane}/`))
    .map((step) => step.key);
}

const hasFailed = (step: Step) =>
  step.at === "observed" &&
  !step.observation.ok &&
  step.observation.call === "step" &&
  (step.intent?.effect === "read" || step.intent?.effect === "idempotent");
