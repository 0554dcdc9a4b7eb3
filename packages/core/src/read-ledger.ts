import { setTimeout as pause } from "node:timers/promises";
import { decode } from "./codec.ts";
import type { Entry, Fact } from "./ledger/entry.ts";
import type { Database } from "./store/database.ts";
import { readEntries } from "./store/ledger.ts";
import { type Head, mustGetHead } from "./store/runs.ts";

/** What one large field of an entry is called, by its kind. */
interface Values {
  /** Of a start, an intent, a refusal, a question about a call, and of an answer that changed the call's arguments. */
  readonly input?: unknown;
  /** Of an observation that is ok, and of a resolution of a call that happened. */
  readonly output?: unknown;
  /** Of an observation that is not ok, and of an outcome that failed. */
  readonly error?: unknown;
  /** Of an outcome whose value is data, and of an answer that is an input. */
  readonly value?: unknown;
}

type Shown<F> = F extends Fact ? Omit<F, "value"> & Values : never;

/** An entry as callers see it: with its values decoded, and its stamp. */
export type LedgerEntry = Shown<Fact> & {
  readonly runId: string;
  readonly seq: number;
  readonly epoch: number;
  readonly at: Date;
};

export async function readLedger(
  db: Database,
  runId: string,
  { after, limit }: { after?: number; limit?: number },
): Promise<LedgerEntry[]> {
  return (await readEntries(db, await mustGetHead(db, runId), after, limit)).map(show);
}

export interface TailOptions {
  /** Entries after this one only. Default 0: from the start. */
  readonly after?: number;
  /** Ends the tail. */
  readonly signal?: AbortSignal;
}

const PAGE = 500;
const SHORTEST_LOOK_MS = 50;
const LONGEST_LOOK_MS = 500;

export async function* tailLedger(
  db: Database,
  runId: string,
  { after = 0, signal }: TailOptions,
): AsyncGenerator<LedgerEntry> {
  let lookMs = SHORTEST_LOOK_MS;
  while (!signal?.aborted) {
    // The head is read first: a run that was final then has no entry that the reading after it would miss.
    const head = await mustGetHead(db, runId);
    const entries = await readEntries(db, head, after, PAGE);
    for (const entry of entries) {
      after = entry.seq;
      yield show(entry);
    }
    if (entries.length > 0) lookMs = SHORTEST_LOOK_MS;
    else if (isOver(head) && (after >= head.seq || head.prunedAt !== null)) return;
    else {
      await pause(lookMs, undefined, signal ? { signal } : {}).catch(() => {});
      lookMs = Math.min(lookMs * 1.5, LONGEST_LOOK_MS);
    }
  }
}

/** Nobody writes to it any more: it has ended, or it is here to be looked at. */
const isOver = ({ finishedAt, imported }: Head) => finishedAt !== null || imported;

function show(entry: Entry): LedgerEntry {
  const { value, ...rest } = entry as Entry & { value?: never };
  if (value === undefined) return rest as unknown as LedgerEntry;
  const shown = decode(value);
  switch (entry.kind) {
    case "start":
    case "intent":
    case "refusal":
    case "question":
      return { ...rest, input: shown } as unknown as LedgerEntry;
    case "observation":
      return { ...rest, [entry.ok ? "output" : "error"]: shown } as unknown as LedgerEntry;
    case "resolution":
      return { ...rest, output: shown } as unknown as LedgerEntry;
    case "answer":
      return { ...rest, [entry.says === "input" ? "value" : "input"]: shown } as unknown as LedgerEntry;
    case "outcome":
      return { ...rest, [entry.status === "succeeded" ? "value" : "error"]: shown } as unknown as LedgerEntry;
    default:
      return rest as unknown as LedgerEntry;
  }
}
