import type { Ended, Entry } from "./entry.ts";
import { isPlain, type Run, replay, type Step } from "./replay.ts";

/** Why a run cannot be forked there; `near` are the entries before and behind it where it can. */
export interface Unforkable {
  readonly why: string;
  readonly near: readonly number[];
}

/**
 * May a run be forked after entry `at`? Not while a call is open: it may have happened, and the fork would make it again
 * under a key of its own, or go on without it. And not before the ends of the runs that it came after: nobody tells them to
 * a fork, while a replay has them from the record (`isTold`). Gives back why not.
 */
export function whyNotFork(entries: readonly Entry[], at: number, isTold: boolean): Unforkable | undefined {
  const open = openAt(entries, isTold);
  const why = open.get(at);
  if (why === undefined) return undefined;
  const before = [...open.keys()].findLast((seq) => seq < at && open.get(seq) === undefined);
  const behind = [...open.keys()].find((seq) => seq > at && open.get(seq) === undefined);
  return { why, near: [before, behind].filter((seq) => seq !== undefined) };
}

/** For each entry, what is open after it; undefined where nothing is. */
function openAt(entries: readonly Entry[], isTold: boolean): Map<number, string | undefined> {
  const begun = entries.findIndex(({ kind }) => kind === "takeover");
  const early = isTold ? undefined : entries.slice(0, Math.max(begun, 0)).findLast(isEnd);
  const open = new Set<string>();
  const at = new Map<number, string | undefined>();
  for (const entry of entries) {
    if (entry.kind === "intent" && !isPlain(entry)) open.add(entry.step);
    if (entry.kind === "observation" || entry.kind === "resolution") open.delete(entry.step);
    const [call] = open;
    if (early && entry.seq < early.seq)
      at.set(entry.seq, `run ${early.run}, which it came after, has not ended`);
    else at.set(entry.seq, call === undefined ? undefined : `the call ${call} is under way, and may happen`);
  }
  return at;
}

const isEnd = (entry: Entry): entry is Entry<Ended> => entry.kind === "note" && entry.note === "ended";

/** What stands in the prefix on what is changed in it. */
export interface Downstream {
  /** Answers and reads: they are set aside, and asked for anew. */
  readonly aside: readonly string[];
  /** The first effect: it has happened, and cannot be set aside. */
  readonly effect: { readonly step: Step; readonly seq: number } | undefined;
}

/** What came after entry `changed` in a run, and so may stand on it: without what an execution has `passed` before that. */
export function downstreamOf(
  run: Run,
  changed: number,
  passed: (step: string) => boolean = () => false,
): Downstream {
  const later = [...run.steps.values()]
    .map((step) => ({ step, seq: endOf(step) }))
    .filter(({ step, seq }) => seq > changed && !passed(step.key))
    .sort((a, b) => a.seq - b.seq);
  const isEffect = ({ step }: { step: Step }) =>
    "intent" in step && step.intent !== undefined && step.intent.effect !== "read" && step.at !== "undone";
  return {
    aside: later.filter((each) => !isEffect(each)).map(({ step }) => step.key),
    effect: later.find(isEffect),
  };
}

/** The entry in which a step came to its end, or else the last that is about it. */
export function endOf(step: Step): number {
  switch (step.at) {
    case "observed":
      return step.observation.seq;
    case "refused":
      return step.refusal.seq;
    case "done":
    case "undone":
      return step.resolution.seq;
    case "doubted":
      return step.doubt.seq;
    case "intended":
      return step.intent.seq;
  }
}

/** The fold of a prefix. */
export const prefixOf = (entries: readonly Entry[], at: number): Run =>
  replay(entries.filter(({ seq }) => seq <= at));
