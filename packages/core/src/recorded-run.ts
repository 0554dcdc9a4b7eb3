import { decode } from "./codec.ts";
import { HoldfastError } from "./errors.ts";
import { toPlain } from "./json.ts";
import type { Entry } from "./ledger/entry.ts";
import type { Step } from "./ledger/replay.ts";
import { type ReadBlobs, requestOf } from "./rebuild-request.ts";
import { CALLED, WHOLE } from "./request.ts";
import { getBlobs } from "./store/blobs.ts";
import type { Database } from "./store/database.ts";
import { readEntries } from "./store/ledger.ts";
import { type Head, mustGetHead } from "./store/runs.ts";

/** All that is on record of a run, wherever it is read from: a database or a file. */
export interface RecordedRun {
  readonly runId: string;
  readonly entries: readonly Entry[];
  readonly blobs: ReadBlobs;
}

/** Throws RUN_NOT_FOUND, and COMMAND_NOT_ALLOWED where the run was pruned: there is nothing to `command`. */
export async function readRecordedRun(
  db: Database,
  runId: string,
  command: string,
): Promise<RecordedRun & { readonly head: Head }> {
  const head = await mustGetHead(db, runId);
  if (head.prunedAt) {
    throw new HoldfastError("COMMAND_NOT_ALLOWED", {
      runId,
      command,
      why: "it was pruned: its entries are gone",
    });
  }
  const entries = await readEntries(db, head);
  return { runId, head, entries, blobs: (hashes) => getBlobs(db, head.run, hashes) };
}

/** What a recorded step asked, plain. Undefined where the ledger does not say. */
export async function askedIn({ blobs }: RecordedRun, step: Step): Promise<unknown> {
  if (step.at === "observed" && step.observation.request) {
    return modelAsks(step.observation.name, await requestOf(step.observation, blobs));
  }
  if (!("intent" in step) || step.intent?.value === undefined) return undefined;
  return toPlain(decode(step.intent.value));
}

/** What a model is asked, plain, with the name it is called by. A request that is no record is a field of its own. */
export function modelAsks(name: string, request: unknown): Record<string, unknown> {
  const plain = toPlain(request);
  const isRecord = typeof plain === "object" && plain !== null && !Array.isArray(plain);
  return { [CALLED]: name, ...(isRecord ? plain : { [WHOLE]: plain }) };
}
