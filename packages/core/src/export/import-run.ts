import { decode } from "../codec.ts";
import { HoldfastError } from "../errors.ts";
import { digestOf } from "../json.ts";
import { replay } from "../ledger/replay.ts";
import type { Database } from "../store/database.ts";
import { insertRun } from "../store/imports.ts";
import { readEntries } from "../store/ledger.ts";
import { mustGetHead } from "../store/runs.ts";
import { type RunFile, writeRunFile } from "./run-file.ts";

/** Writes a run that was read from a file. Nothing is done where it is there already; another of its id is refused. */
export async function importRun(db: Database, file: RunFile, id: string): Promise<void> {
  const { start, outcome } = replay(file.entries);
  if (!start) throw new HoldfastError("LEDGER_CORRUPT", { runId: id, seq: 1, why: "it is no start" });
  const imported = {
    runId: id,
    agent: start.agent,
    version: start.version,
    tags: start.tags,
    inputDigest: start.value === undefined ? undefined : digestOf(decode(start.value)),
    status: outcome?.status,
  };
  if (await insertRun(db, imported, file.entries, file.blobs)) return;
  const there = { ...file, runId: id, entries: await readEntries(db, await mustGetHead(db, id)) };
  if (writeRunFile({ ...there, blobs: file.blobs }) === writeRunFile({ ...file, runId: id })) return;
  const why = "there is a run of that id with another ledger; import it under another id";
  throw new HoldfastError("COMMAND_NOT_ALLOWED", { runId: id, command: "import", why });
}
