import { parseKey } from "./key.ts";
import type { Run, Step } from "./replay.ts";

/**
 * The steps that are done anew when a run, or one lane of it, is tried again: model answers after the last intent of
 * their lane, for it may be what they said that failed, and with an answer what was refused of it. Never an answer that
 * led to an effect or to a question that is not through, nor an effect. A step of the user's own code that only reads, or
 * says that it may be repeated, is done anew where it is the last and it failed.
 */
export function resampledSteps(run: Run, lane?: string): string[] {
  const last = new Map<string, number>();
  const keep = (step: string, seq: number) => {
    const at = parseKey(step).lane;
    last.set(at, Math.max(last.get(at) ?? 0, seq));
  };
  const steps = [...run.steps.values()];
  for (const step of steps)
    if ("intent" in step && step.intent && !hasFailed(step)) keep(step.key, step.intent.seq);
  for (const { question, usedBy } of run.questions.values())
    if (usedBy === undefined) keep(question.step, question.seq);
  const anew = steps
    .filter((step) => lane === undefined || step.key === lane || step.key.startsWith(`${lane}/`))
    .filter((step) => (seqOf(step) ?? 0) > (last.get(parseKey(step.key).lane) ?? 0))
    .map((step) => step.key);
  const refused = steps.filter(
    (step) => step.at === "refused" && anew.includes(parseKey(step.key).emitter ?? ""),
  );
  return [...anew, ...refused.map((step) => step.key)];
}

/** Where a step stands that may be done anew: undefined for any other. */
function seqOf(step: Step): number | undefined {
  if (step.at === "refused") return step.refusal.call === "model" ? step.refusal.seq : undefined;
  if (step.at !== "observed") return undefined;
  return step.observation.call === "model" || hasFailed(step) ? step.observation.seq : undefined;
}

const hasFailed = (step: Step) =>
  step.at === "observed" &&
  !step.observation.ok &&
  step.observation.call === "step" &&
  (step.intent?.effect === "read" || step.intent?.effect === "idempotent");
