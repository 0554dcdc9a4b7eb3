import { changesOf } from "./budget/tally.ts";
import { decode, encode } from "./codec.ts";
import { HoldfastError } from "./errors.ts";
import type { Resolution } from "./ledger/entry.ts";
import { doubtsOf, replay, type Step } from "./ledger/replay.ts";
import { Redactor } from "./redact.ts";
import type { RunStatus } from "./run/status.ts";
import type { Database } from "./store/database.ts";
import { readEntries } from "./store/ledger.ts";
import { writeOutside } from "./store/outside.ts";
import { type Head, listHeads, mustGetHead } from "./store/runs.ts";

/** A call that may have happened, or not: nobody can say so from the ledger. */
export interface OpenDoubt {
  readonly runId: string;
  readonly step: string;
  /** The tool's or the step's name. */
  readonly name: string;
  readonly input: unknown;
  /** The idempotency key that the call went out with. */
  readonly key: string;
  /** When it was about to go out. */
  readonly at: Date;
  readonly why: string;
}

/** What became of the call: it happened, and this is what it returned; or it did not. */
export type Resolved = { readonly happened: unknown } | { readonly didNotHappen: true };

export interface Doubts {
  /** The open doubts of one run, or of all runs that are parked, were left behind, or ended badly, the oldest run last. */
  list(filter?: { runId?: string | undefined; limit?: number | undefined }): Promise<OpenDoubt[]>;
  /**
   * Says what became of a call. `happened` is recorded as what it returned, `didNotHappen` lets it go out again. The run
   * goes on when it is run again. Throws RUN_NOT_FOUND, COMMAND_NOT_ALLOWED where there is no such doubt (any more), or
   * somebody is at work on the step.
   */
  resolve(
    runId: string,
    step: string,
    resolved: Resolved,
    by: { by: string; comment?: string | undefined },
  ): Promise<void>;
}

/** Runs looked through in one listing. */
const MOST_RUNS = 100;
/** Ends that a run comes to with calls under way. */
const ENDED: readonly RunStatus[] = ["failed", "cancelled", "dead"];
/** How often a resolution is tried against a ledger that others are writing to. */
const TRIES = 20;

export function doubtsOn(database: () => Promise<Database>, redactor = new Redactor()): Doubts {
  return {
    async list({ runId, limit = MOST_RUNS } = {}) {
      const db = await database();
      if (runId !== undefined) return await openDoubts(db, await mustGetHead(db, runId));
      const parked = await listHeads(db, { status: "waiting", waitingOn: "doubt" }, limit);
      const left = await listHeads(db, { status: "waiting", waitingOn: "caller" }, limit);
      const ended = [];
      for (const status of ENDED) ended.push(...(await listHeads(db, { status }, limit)));
      const open = [];
      for (const head of [...parked, ...left, ...ended])
        open.push(...(await openDoubts(db, head).catch(unread)));
      return open;
    },

    async resolve(runId, step, resolved, { by, comment }) {
      if (typeof by !== "string" || by === "") {
        throw new HoldfastError("INVALID_ARGUMENT", { argument: "by", why: "must name who says so" });
      }
      const happened = "happened" in resolved;
      if (happened === "didNotHappen" in resolved) {
        const why = "must be either { happened: output } or { didNotHappen: true }";
        throw new HoldfastError("INVALID_ARGUMENT", { argument: "The resolution", why });
      }
      const value = happened ? encode(redactor.apply("output", resolved.happened)) : undefined;
      const fact: Resolution = { kind: "resolution", step, happened, by, comment, value };
      const db = await database();
      for (let tries = 0; tries < TRIES; tries++) {
        const head = await mustGetHead(db, runId);
        const run = replay(await readEntries(db, head));
        if (!doubtsOf(run, isAbandoned(head)).some(({ key }) => key === step)) {
          // What was written may have been this, and only its answer lost: then it stands.
          const found = run.steps.get(step);
          if (found && "resolution" in found && isSame(found.resolution, fact)) return;
          throw new HoldfastError("COMMAND_NOT_ALLOWED", {
            runId,
            command: "resolve a doubt of",
            why: noDoubt(run.steps.get(step), step),
          });
        }
        if (await writeOutside(db, head, run.seq, fact, changesOf(run.tally, [fact], run.epoch))) return;
      }
      const why = `its ledger moved on ${TRIES} times while step ${step} was being resolved; try again`;
      throw new HoldfastError("COMMAND_NOT_ALLOWED", { runId, command: "resolve a doubt of", why });
    },
  };
}

/** The same person said the same: saying it twice is saying it. */
const isSame = (one: Resolution, other: Resolution): boolean =>
  one.by === other.by &&
  one.happened === other.happened &&
  one.value === other.value &&
  one.comment === other.comment;

/** Nobody works on the run: what it left open will not be closed by whoever opened it. */
const isAbandoned = ({ status }: Head) => status === "waiting" || ENDED.includes(status);

/** A ledger that cannot be read keeps no other run's doubts from view. Asked for by its id, it says so. */
function unread(error: unknown): OpenDoubt[] {
  if (HoldfastError.is(error, "LEDGER_CORRUPT")) return [];
  throw error;
}

async function openDoubts(db: Database, head: Head): Promise<OpenDoubt[]> {
  const run = replay(await readEntries(db, head));
  return doubtsOf(run, isAbandoned(head)).flatMap((step) => {
    if (step.at !== "doubted" && step.at !== "intended") return [];
    const { key, name, at, value } = step.intent;
    const why =
      step.at === "doubted"
        ? step.doubt.why
        : "the call may have gone out, and what came of it was not recorded";
    const input = value === undefined ? undefined : decode(value);
    return [{ runId: head.runId, step: step.key, name, input, key, at, why }];
  });
}

function noDoubt(step: Step | undefined, key: string): string {
  if (!step) return `it has no step ${key}`;
  if (step.at === "done" || step.at === "undone")
    return `step ${key} was resolved by ${step.resolution.by} already`;
  if (step.at === "intended") return `step ${key} is being executed, or may be repeated without a decision`;
  return `step ${key} is ${step.at}, not in doubt`;
}
