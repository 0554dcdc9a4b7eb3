import { HoldfastError } from "./errors.ts";
import type { Entry } from "./ledger/entry.ts";
import type { ReadBlobs } from "./rebuild-request.ts";
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
