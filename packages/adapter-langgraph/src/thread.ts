import { isDeepStrictEqual } from "node:util";
import {
  type Holdfast,
  HoldfastError,
  type RunOptions,
  type RunStatus,
  type TablesDatabase,
  type WaitingOn,
} from "@holdfast/core";
import { toKept } from "./kept.ts";
import { migrations } from "./saver/migrations.generated.ts";

export interface Calling {
  readonly thread: string;
  /** The graph's name. */
  readonly agent: string;
  /** What the graph is called with: a new input, nothing, or a command. */
  readonly input: unknown;
  /** Where in the thread's past it is to begin. */
  readonly checkpoint: string | undefined;
  readonly onUnfinished: "refuse" | "cancel";
}

/** Which run a call on a thread is, and how it is begun. */
export interface ThreadRun {
  readonly id: string;
  readonly options: RunOptions;
  /** It goes on with a run that is not finished, or that failed. */
  readonly goesOn: boolean;
  /** It is called with a command, and waits for answers to questions of Holdfast. */
  readonly asks?: boolean;
}

/**
 * The run of a call on a thread: one per new input or checkpoint. Nothing, or a `Command({ resume })`, goes on with the last
 * one; so does the same input while the last one is not finished. Another input then cancels that one, or comes to a run
 * of another input: RUN_EXISTS_DIFFERENT.
 */
export async function runOf(hf: Holdfast, calling: Calling): Promise<ThreadRun> {
  const { thread, agent, input, checkpoint, onUnfinished } = calling;
  const db = await hf.tables({ package: "@holdfast/langgraph", migrations });
  const last = await lastRun(db, thread);
  const unfinished = last !== undefined && UNFINISHED.includes(last.status);
  const resumes = checkpoint === undefined && (input == null || isResume(input));
  if (last && resumes && (unfinished || last.status === "failed")) {
    const asks = isResume(input) && (last.waitingOn === "approval" || last.waitingOn === "input");
    return { id: last.id, options: {}, goesOn: true, asks };
  }
  const asked = {
    input: sameForAll(toKept(input ?? null)),
    ...(checkpoint === undefined ? {} : { checkpoint }),
  };
  if (last && unfinished) {
    const isSame = onUnfinished === "refuse" || isDeepStrictEqual((await hf.runs.get(last.id)).input, asked);
    if (isSame) return { id: last.id, options: { input: asked }, goesOn: true };
    await hf.cancel(last.id, { by: "onUnfinished" });
  }
  const n = (last?.n ?? 0) + 1;
  const id = `${thread}#${n}`;
  await db.query(NOTE, [thread, n, id]);
  return { id, options: { input: asked, agent, tags: [`thread:${thread}`] }, goesOn: false };
}

interface LastRun {
  readonly n: number;
  readonly id: string;
  readonly status: RunStatus;
  readonly waitingOn: WaitingOn | null;
}

// A run that is noted and was never begun, or was deleted since, is none.
const LAST = /* sql */ `
select noted.n, noted.run_id as id, run.status, run.waiting_on as "waitingOn"
  from holdfast.thread_runs as noted
  join holdfast.runs        as run   on run.run_id = noted.run_id
 where noted.thread_id = $1
 order by noted.n desc
 limit 1`;

const NOTE = /* sql */ `
insert into holdfast.thread_runs (thread_id, n, run_id)
values ($1, $2, $3)
    on conflict do nothing`;

async function lastRun(db: TablesDatabase, thread: string): Promise<LastRun | undefined> {
  const { rows } = await db.query<LastRun>(LAST, [thread]);
  return rows[0];
}

const UNFINISHED: readonly RunStatus[] = ["queued", "running", "waiting"];

/** Another input than that of the run that is not finished: as whoever calls a thread reads it. */
export const unfinishedOr = (error: unknown, runId: string): unknown =>
  HoldfastError.is(error, "RUN_EXISTS_DIFFERENT") ? new HoldfastError("RUN_UNFINISHED", { runId }) : error;

/** Is this a `Command` that answers an `interrupt()`? */
export const isResume = (input: unknown): boolean => {
  const { lg_name: name, resume } = (input ?? {}) as { lg_name?: unknown; resume?: unknown };
  return name === "Command" && resume !== undefined && resume !== null;
};

/** The input without the ids of its messages, which are often made up anew when it is sent again. */
export function sameForAll(kept: unknown, ofMessage = false): unknown {
  if (Array.isArray(kept)) return kept.map((part) => sameForAll(part));
  if (typeof kept !== "object" || kept === null || Object.getPrototypeOf(kept) !== Object.prototype)
    return kept;
  // A message that was an instance is kept under a tag; one that was written down says who says it.
  const isMessage = ofMessage || ("content" in kept && ("role" in kept || "type" in kept));
  const isTagged = (kept as { $lc?: unknown }).$lc === "message";
  const said = Object.entries(kept).filter(([name]) => !(isMessage && name === "id"));
  return Object.fromEntries(
    said.map(([name, part]) => [name, sameForAll(part, isTagged && name === "fields")]),
  );
}
