import { type Holdfast, HoldfastError, type RunOptions, type RunSummary } from "@holdfast/core";
import { toKept } from "./kept.ts";

/** What a graph is called with: an input, or nothing, or a command. */
export type Input = unknown;

/** Which run a call on a thread is, and how it is begun. */
export interface ThreadRun {
  readonly id: string;
  readonly options: RunOptions;
  /** It goes on with a run that is not finished, or that failed. */
  readonly goesOn: boolean;
}

export interface Calling {
  readonly thread: string;
  /** The graph's name. */
  readonly agent: string;
  readonly input: Input;
  /** Where in the thread's past it is to begin. */
  readonly checkpoint: string | undefined;
  readonly onUnfinished: "refuse" | "cancel";
}

const tagOf = (thread: string) => `thread:${thread}`;

/**
 * The run of a call on a thread: one per new input or checkpoint. Nothing, or a `Command({ resume })`, goes on with the last
 * one; so does the same input while the last one is not finished. Throws RUN_UNFINISHED for another input then.
 */
export async function runOf(hf: Holdfast, calling: Calling): Promise<ThreadRun> {
  const { thread, agent, input, checkpoint } = calling;
  const last = await lastRun(hf, thread);
  const unfinished = last !== undefined && isUnfinished(last);
  const resumes = checkpoint === undefined && (input == null || isResume(input));
  if (last && resumes && (unfinished || last.status === "failed")) {
    return { id: last.id, options: {}, goesOn: true };
  }
  const asked = {
    input: sameForAll(toKept(input ?? null)),
    ...(checkpoint === undefined ? {} : { checkpoint }),
  };
  if (last && unfinished) return { id: last.id, options: { input: asked }, goesOn: true };
  const n = last === undefined ? 1 : Number(/#(\d+)$/.exec(last.id)?.[1] ?? 0) + 1;
  return { id: `${thread}#${n}`, options: { input: asked, agent, tags: [tagOf(thread)] }, goesOn: false };
}

/** The newest run of the thread. */
export async function lastRun(hf: Holdfast, thread: string): Promise<RunSummary | undefined> {
  return (await hf.runs.list({ tag: tagOf(thread), limit: 1 }))[0];
}

/** Another input than that of the run that is not finished: what Holdfast says of the run, LangGraph's user reads of the thread. */
export const unfinishedOr = (error: unknown, runId: string): unknown =>
  HoldfastError.is(error, "RUN_EXISTS_DIFFERENT") ? new HoldfastError("RUN_UNFINISHED", { runId }) : error;

const isUnfinished = ({ status }: RunSummary) =>
  status === "queued" || status === "running" || status === "waiting";

export const isResume = (input: unknown): boolean =>
  (input as { lg_name?: unknown } | null)?.lg_name === "Command" &&
  (input as { resume?: unknown }).resume !== undefined;

/** The input without the ids of its messages, which are often made up anew when it is sent again. */
function sameForAll(kept: unknown): unknown {
  if (Array.isArray(kept)) return kept.map(sameForAll);
  if (typeof kept !== "object" || kept === null || Object.getPrototypeOf(kept) !== Object.prototype)
    return kept;
  const isMessage = "content" in kept && !("lg_name" in kept);
  const entries = Object.entries(kept).filter(([name]) => !(isMessage && name === "id"));
  return Object.fromEntries(entries.map(([name, part]) => [name, sameForAll(part)]));
}
