import { setTimeout as pause } from "node:timers/promises";
import type { Creator } from "./creator.ts";
import { HoldfastError } from "./errors.ts";
import type { Heart, Standing } from "./heart.ts";
import { openQuestions } from "./ledger/asked.ts";
import type { After, Entry, Start } from "./ledger/entry.ts";
import { doubtsOf, replay } from "./ledger/replay.ts";
import type { Database } from "./store/database.ts";
import { takeLease } from "./store/lease.ts";
import { type Lease, readEntries } from "./store/ledger.ts";
import { expireQuestions, isClosing } from "./store/questions.ts";
import { getHead, type Head } from "./store/runs.ts";

/** How often somebody who waits for a run looks at its head. */
const LOOK_MS = 100;

export interface Entering {
  readonly db: Database;
  readonly creator: Creator;
  readonly heart: Heart;
  readonly runId: string;
  readonly start: Start;
  /** Of the input; undefined: the caller named none, and takes the run as it was started. */
  readonly inputDigest: string | undefined;
  /** What to do about a run that somebody alive is working on. */
  readonly onLeased: "refuse" | "wait";
  /** A dead owner's lock must have been seen gone for so long. */
  readonly graceSeconds: number;
  readonly isClosed: () => boolean;
  /** It is for the replay itself that the run is entered. */
  readonly isReplay?: boolean;
  /** Called with the run's number before it is asked for: from then on a lease on it is not one that was lost. */
  readonly onTaking: (run: string) => void;
  /** Called as the run's creation is sent, when it has no number yet. Gives back what to call once that is answered. */
  readonly onCreating: () => () => void;
}

export type Entered =
  | { readonly at: "taken"; readonly lease: Lease; readonly standing: Standing; readonly entries: Entry[] }
  | { readonly at: "finished"; readonly entries: Entry[] };

/**
 * Makes this process the owner of an inline run: creates it, goes on with it, or takes it over from an owner that is
 * dead. Throws RUN_LEASED, RUN_WAITING, RUN_EXISTS_DIFFERENT.
 */
export async function enterRun(entering: Entering): Promise<Entered> {
  const { db, creator, heart, runId, start, inputDigest, onLeased, graceSeconds } = entering;
  const me = () => ({ number: heart.number, name: heart.name });
  let isKnown = false;
  let gone: { owner: string; beats: string; since: number } | undefined;

  for (;;) {
    if (entering.isClosed())
      throw new HoldfastError("DATABASE_UNAVAILABLE", { why: "this Holdfast was closed" });
    await heart.ready();
    const { standing } = heart;
    // Most runs are new. For those that are not, creating does nothing, and their heads are read.
    const head = await createOrGetHead();
    if ("lease" in head) return { at: "taken", standing, ...head };
    checkSame(head, start.agent, inputDigest);

    if (head.prunedAt) {
      const why =
        "it has ended and was pruned: its value is gone, and its effects are not repeated; use a new id";
      throw new HoldfastError("COMMAND_NOT_ALLOWED", { runId, command: "run", why });
    }
    if (head.status !== "succeeded" && head.replayOf !== null && !entering.isReplay) {
      const why = "it is a replay, whose tools were mocked; replay the run again with hf.replay";
      throw new HoldfastError("COMMAND_NOT_ALLOWED", { runId, command: "work on", why });
    }
    if (head.status !== "succeeded" && head.imported) {
      const why = "it was imported: its effects belong to where it came from; fork it";
      throw new HoldfastError("COMMAND_NOT_ALLOWED", { runId, command: "work on", why });
    }
    if (isFinished(head)) return { at: "finished", entries: await readEntries(db, head) };
    if (!head.inline) {
      throw new HoldfastError("COMMAND_NOT_ALLOWED", {
        runId,
        command: "work on",
        why: "a worker does that",
      });
    }
    // What a run was told before it failed, it was not told of its next try.
    if (head.command === "pause" && head.status !== "failed") throw await waiting(head);
    if (head.status === "waiting" && head.waitingOn !== "caller" && !head.due) {
      // A question whose time is over is no longer waited for.
      if ((await expireQuestions(db, head.run)) > 0) continue;
      if (await isClosing(db, head)) {
        await pause(LOOK_MS);
        continue;
      }
      throw await waiting(head);
    }

    const { owner } = head;
    const mine = owner?.number === heart.number;
    if (owner?.alive && !mine) {
      if (!owner.gone) {
        gone = undefined;
        if (onLeased === "refuse") throw new HoldfastError("RUN_LEASED", { runId, worker: owner.name });
        await pause(LOOK_MS);
        continue;
      }
      // Postgres has seen its session end. It may be back in a moment: only who stays away for the whole grace is dead.
      const sighted = JSON.stringify([owner.number, head.epoch, owner.beats]);
      if (gone?.owner !== sighted) gone = { owner: sighted, beats: owner.beats, since: performance.now() };
      if (performance.now() - gone.since < graceSeconds * 1000) {
        await pause(LOOK_MS);
        continue;
      }
    }
    const sight = { epoch: head.epoch, beats: gone?.beats ?? null, gone: gone !== undefined, mine };
    entering.onTaking(head.run);
    const taken = await takeLease(db, head, me(), mine ? "handover" : afterWhat(head), sight);
    if (!taken) {
      await pause(LOOK_MS);
      continue;
    }
    return { at: "taken", standing, lease: taken.lease, entries: await readEntries(db, head) };
  }

  async function createOrGetHead(): Promise<Head | { lease: Lease; entries: Entry[] }> {
    const created = isKnown ? undefined : await create();
    if (created) {
      const { lease, at } = created;
      const entries: Entry[] = [
        { ...start, runId, seq: 1, epoch: 0, at },
        {
          kind: "takeover",
          worker: heart.name,
          number: heart.number,
          after: "start",
          runId,
          seq: 2,
          epoch: 1,
          at,
        },
      ];
      return { lease, entries };
    }
    const there = await getHead(db, runId);
    isKnown = there !== undefined;
    if (!there)
      throw new HoldfastError("DATABASE_UNAVAILABLE", {
        why: "this worker's lease ended as it began the run",
      });
    return there;
  }

  async function create() {
    const answered = entering.onCreating();
    try {
      const created = await creator.create({ runId, start, inputDigest, worker: me() });
      if (created) entering.onTaking(created.lease.run);
      return created;
    } finally {
      answered();
    }
  }

  async function waiting(head: Head): Promise<HoldfastError> {
    const run = replay(await readEntries(db, head));
    const doubts = doubtsOf(run, true).map((step) => step.key);
    const waitingOn = head.waitingOn ?? "caller";
    const paused = head.command === "pause";
    const questions = openQuestions(run.questions);
    return new HoldfastError("RUN_WAITING", { runId, waitingOn, questions, doubts, paused });
  }
}

/** The end of an inline run is final unless it failed: then its caller may try again. */
const isFinished = ({ status }: Head) =>
  status === "succeeded" || status === "cancelled" || status === "dead";

const afterWhat = ({ status }: Head): After =>
  status === "running" ? "crash" : status === "failed" ? "retry" : "wait";

/** An id stands for one piece of work: asking for another under it is a mistake that must not go unnoticed. */
export function checkSame(
  head: Pick<Head, "runId" | "agent" | "inputDigest">,
  agent: string | undefined,
  inputDigest: string | undefined,
): void {
  const { runId } = head;
  if (agent !== undefined && agent !== head.agent) {
    throw new HoldfastError("RUN_EXISTS_DIFFERENT", { runId, differs: "agent" });
  }
  if (inputDigest !== undefined && inputDigest !== head.inputDigest) {
    throw new HoldfastError("RUN_EXISTS_DIFFERENT", { runId, differs: "input" });
  }
}
