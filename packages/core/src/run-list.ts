import { type BudgetView, viewOf as budgetOf } from "./budget/view.ts";
import { checkBy } from "./by.ts";
import { decode } from "./codec.ts";
import { HoldfastError } from "./errors.ts";
import { type Run, replay } from "./ledger/replay.ts";
import type { RunStatus, WaitingOn } from "./run/status.ts";
import type { Database } from "./store/database.ts";
import { readEntries } from "./store/ledger.ts";
import { deleteRun } from "./store/retention.ts";
import { type Head, listHeads, mustGetHead } from "./store/runs.ts";

/** A run without what only its entries tell. */
export interface RunSummary {
  readonly id: string;
  readonly agent: string | undefined;
  readonly version: string | undefined;
  readonly status: RunStatus;
  readonly waitingOn: WaitingOn | undefined;
  readonly seq: number;
  readonly epoch: number;
  readonly tags: readonly string[];
  readonly parent: string | undefined;
  readonly forkedFrom: string | undefined;
  readonly createdAt: Date;
  readonly finishedAt: Date | undefined;
  /** Its entries were pruned: only its head is left. */
  readonly prunedAt: Date | undefined;
  /** It was read from a file by `hf.importRun`. */
  readonly imported: true | undefined;
}

export interface RunView extends RunSummary {
  readonly input: unknown;
  /** Of a run that succeeded, where it is data. */
  readonly value: unknown;
  /** Of a run that failed or is dead. */
  readonly error: unknown;
  readonly attempts: { readonly crashes: number; readonly retries: number; readonly resumes: number };
  readonly budget: BudgetView;
}

export interface RunFilter {
  readonly status?: RunStatus | undefined;
  readonly waitingOn?: WaitingOn | undefined;
  readonly agent?: string | undefined;
  readonly tag?: string | undefined;
  /** At most so many, 1 to 500. Default 50. */
  readonly limit?: number | undefined;
  /** Where the page before ended: its `cursor`. */
  readonly cursor?: string | undefined;
}

/** A page of runs; `cursor` asks for the next one, and is undefined on the last. */
export type RunPage = readonly RunSummary[] & { readonly cursor: string | undefined };

export interface RunList {
  /** One run, with what its entries tell. Throws RUN_NOT_FOUND. */
  get(id: string): Promise<RunView>;
  /** The newest first, a page at a time. Throws INVALID_ARGUMENT for a limit or cursor that is none. */
  list(filter?: RunFilter): Promise<RunPage>;
  /**
   * Forgets a run that has ended: its entries and blobs, and its head unless it was started with a key. Its id then is
   * free, and a run of that id begins anew. `by` stands in the audit. Throws RUN_NOT_FOUND, COMMAND_NOT_ALLOWED for a run
   * that has not ended, or whose end another run has not been told yet.
   */
  delete(id: string, options?: { readonly by?: string }): Promise<void>;
}

const LARGEST_PAGE = 500;
/** As Postgres writes a timestamptz: an instant that it reads as well. */
const INSTANT =
  /^\d{4}-(0\d|1[0-2])-([0-2]\d|3[01]) ([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,6})?[+-]\d\d(:\d\d){0,2}$/;

export function runsOn(database: () => Promise<Database>): RunList {
  return {
    async get(id) {
      const db = await database();
      const head = await mustGetHead(db, id);
      return viewOf(head, replay(await readEntries(db, head)));
    },

    async delete(id, { by = "hf.runs.delete" } = {}) {
      checkBy(by);
      const done = await deleteRun(await database(), id, by);
      if (done === "deleted") return;
      if (done === "missing") throw new HoldfastError("RUN_NOT_FOUND", { runId: id });
      if (done === "awaited") {
        const why =
          "another run waits for its end; delete it once a worker has told that one, or it has ended";
        throw new HoldfastError("COMMAND_NOT_ALLOWED", { runId: id, command: "delete", why });
      }
      const why = `it is ${done}; only a run that has ended can be deleted`;
      throw new HoldfastError("COMMAND_NOT_ALLOWED", { runId: id, command: "delete", why });
    },

    async list({ status, waitingOn, agent, tag, limit = 50, cursor } = {}) {
      if (!Number.isInteger(limit) || limit < 1 || limit > LARGEST_PAGE) {
        throw new HoldfastError("INVALID_ARGUMENT", {
          argument: "limit",
          why: `must be from 1 to ${LARGEST_PAGE}`,
        });
      }
      const behind = cursor === undefined ? undefined : readCursor(cursor);
      const heads = await listHeads(await database(), { status, waitingOn, agent, tag, behind }, limit + 1);
      const page = heads.slice(0, limit);
      const last = page.at(-1);
      const next = heads.length > limit && last ? writeCursor(last.createdAtText, last.run) : undefined;
      return Object.assign(page.map(summaryOf), { cursor: next });
    },
  };
}

function summaryOf(head: Head): RunSummary {
  return {
    id: head.runId,
    agent: head.agent ?? undefined,
    version: head.version ?? undefined,
    status: head.status,
    waitingOn: head.waitingOn ?? undefined,
    seq: head.seq,
    epoch: head.epoch,
    tags: head.tags,
    parent: head.parent ?? undefined,
    forkedFrom: head.forkedFrom ?? undefined,
    createdAt: head.createdAt,
    finishedAt: head.finishedAt ?? undefined,
    prunedAt: head.prunedAt ?? undefined,
    imported: head.imported || undefined,
  };
}

function viewOf(head: Head, { input, outcome, attempts, tally }: Run): RunView {
  const ended = outcome?.value === undefined ? undefined : decode(outcome.value);
  return {
    ...summaryOf(head),
    input: input === undefined ? undefined : decode(input),
    value: outcome?.status === "succeeded" ? ended : undefined,
    error:
      outcome?.status === "dead"
        ? dead(head.runId, outcome.reason)
        : outcome?.status === "failed"
          ? ended
          : undefined,
    attempts,
    budget: budgetOf(tally),
  };
}

const dead = (runId: string, reason = "it killed its workers") =>
  new HoldfastError("RUN_DEAD", { runId, reason });

const writeCursor = (createdAt: string, run: string) =>
  Buffer.from(JSON.stringify([createdAt, run])).toString("base64url");

function readCursor(cursor: string): { createdAt: string; run: string } {
  try {
    const [createdAt, run] = JSON.parse(Buffer.from(cursor, "base64url").toString()) as unknown[];
    const isInstant = typeof createdAt === "string" && INSTANT.test(createdAt);
    if (isInstant && typeof run === "string" && /^\d{1,18}$/.test(run)) return { createdAt, run };
  } catch {
    // falls through: it is none of ours
  }
  throw new HoldfastError("INVALID_ARGUMENT", { argument: "cursor", why: "is none that a listing gave" });
}
