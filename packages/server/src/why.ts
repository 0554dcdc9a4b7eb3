import { type Holdfast, HoldfastError, type LedgerEntry, type OpenDoubt } from "@holdfast/core";
import { getStanding, type Standing } from "./store/standing.ts";

/** Why a run does not move, in a sentence, and what to do about it. */
export interface Why {
  readonly why: string;
  /** Undefined where there is nothing to do. */
  readonly todo: string | undefined;
}

/** Says why a run does not move. Throws RUN_NOT_FOUND. */
export async function whyOf(hf: Holdfast, runId: string): Promise<Why> {
  const standing = await getStanding((await hf.opened()).db, runId);
  if (!standing) throw new HoldfastError("RUN_NOT_FOUND", { runId });
  const doubts = standing.waitingOn === "doubt" ? await hf.doubts.list({ runId }) : [];
  return whyIn(standing, await hf.entries(runId), doubts);
}

/** A run that says nothing for so long, without a call under way, is worth a look. */
const QUIET_SECONDS = 300;

/** Pure, so that each case is a row of a test. */
export function whyIn(
  standing: Standing,
  entries: readonly LedgerEntry[],
  doubts: readonly OpenDoubt[],
): Why {
  const { status, command } = standing;
  if (command === "pause" && (status === "queued" || status === "waiting"))
    return { why: "It is paused.", todo: "Let it go on: holdfast resume." };
  switch (status) {
    case "running":
      return running(standing, entries);
    case "queued":
      return queued(standing);
    case "waiting":
      return waiting(standing, doubts);
    case "succeeded":
      return { why: "It has ended: it succeeded.", todo: undefined };
    case "cancelled":
      return { why: "It has ended: it was cancelled.", todo: undefined };
    case "failed":
      return standing.inline
        ? {
            why: `It failed: ${failure(entries)}.`,
            todo: "Call hf.run with its id to try it again from its ledger.",
          }
        : { why: `It failed: ${failure(entries)}.`, todo: "Mend the cause, then redrive it." };
    case "dead":
      return {
        why: `It was set aside as a dead letter: ${failure(entries)}.`,
        todo: "Mend the cause, then redrive it.",
      };
  }
}

function running(
  { owner, ownerIsAlive, quietSeconds, inline }: Standing,
  entries: readonly LedgerEntry[],
): Why {
  if (!ownerIsAlive) {
    const todo = inline
      ? "Call hf.run with its id, in any process; its ledger is taken over then."
      : "A worker takes it over within seconds. If none does, start one.";
    return { why: `Its owner, ${owner}, is not alive any more.`, todo };
  }
  const open = openCalls(entries);
  const quiet = seconds(quietSeconds ?? 0);
  if (open.length > 0)
    return {
      why: `${owner} works on it, and ${open.join(", ")} ${open.length === 1 ? "is" : "are"} under way, without news for ${quiet}.`,
      todo: "A tool without timeoutMs may take for ever: give it one.",
    };
  if ((quietSeconds ?? 0) < QUIET_SECONDS)
    return { why: `It moves: ${owner} works on it, and wrote ${quiet} ago.`, todo: undefined };
  return {
    why: `${owner} works on it and is alive, but has written nothing for ${quiet}.`,
    todo: "It may be at a model call or in code between calls: look at that process.",
  };
}

function queued({ agent, workersAlive }: Standing): Why {
  const named = agent ?? "its agent";
  if (workersAlive === 0)
    return {
      why: `It waits for a worker, and none that is alive has ${named}.`,
      todo: "Start one: holdfast worker --app ./agents.ts",
    };
  return {
    why: `It waits for one of the ${workersAlive} workers that have ${named} to have a place free.`,
    todo: "Start more workers, or raise their concurrency, if that takes too long: holdfast agents.",
  };
}

function waiting({ waitingOn, wakesInSeconds }: Standing, doubts: readonly OpenDoubt[]): Why {
  switch (waitingOn) {
    case "doubt": {
      const names = doubts.map(({ name, step }) => `${name} (${step})`).join(", ");
      return {
        why: `Nobody knows whether ${names || "a call"} happened: the process died, or the answer never came.`,
        todo: "Look at the other side's records, then say what happened: holdfast doubts, holdfast resolve.",
      };
    }
    case "caller":
      return {
        why: "The process that worked on it is gone, and it is run by whoever calls hf.run.",
        todo: "Call hf.run with its id again.",
      };
    case "approval":
      return {
        why: "It asks whether a call may be made.",
        todo: "Answer it: holdfast questions, holdfast answer.",
      };
    case "input":
      return {
        why: "It asks a person for something.",
        todo: "Answer it: holdfast questions, holdfast answer.",
      };
    case "budget":
      return {
        why: "Its budget has too little left for the next call.",
        todo: "Raise it: holdfast budgets raise.",
      };
    case "timer": {
      const when = wakesInSeconds === null ? "" : ` It goes on in ${seconds(Math.max(0, wakesInSeconds))}.`;
      return {
        why: `It sleeps, waits for its time, or waits before it is tried again.${when}`,
        todo: undefined,
      };
    }
    case "dependency":
      return { why: "It waits for runs that it comes after.", todo: "Ask the same of those." };
    case null:
      return { why: "It waits.", todo: undefined };
  }
}

/** The names of calls that went out and have not been heard of. */
function openCalls(entries: readonly LedgerEntry[]): string[] {
  const open = new Map<string, string>();
  for (const entry of entries) {
    if (entry.kind === "intent") open.set(entry.step, entry.name);
    else if (entry.kind === "note") {
      if (entry.note === "settled") open.delete(entry.step);
    } else if ("step" in entry && entry.step !== undefined) open.delete(entry.step);
  }
  return [...open.values()];
}

function failure(entries: readonly LedgerEntry[]): string {
  const outcome = entries.findLast((entry) => entry.kind === "outcome");
  const { error } = outcome ?? {};
  return error instanceof Error ? `${error.name}: ${error.message}` : "its ledger says with what";
}

function seconds(many: number): string {
  if (many < 120) return `${Math.ceil(many)} s`;
  return many < 7200 ? `${Math.round(many / 60)} min` : `${Math.round(many / 3600)} h`;
}
