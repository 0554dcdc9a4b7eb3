import type { Encoded } from "../codec.ts";
import { HoldfastError } from "../errors.ts";
import { hashOf } from "../json.ts";
import type { Entry } from "../ledger/entry.ts";
import { replay } from "../ledger/replay.ts";
import { blobsNamedIn } from "../rebuild-request.ts";
import type { RecordedRun } from "../recorded-run.ts";
import { version as core } from "../version.ts";

/*
 * A run as a file: JSON Lines. The first says what the file is, then come the entries in order, then the blobs that they
 * name. It holds all that is on record of the run, and nothing else is needed to run code over it.
 *
 *   {"holdfast":"run","version":1,"core":"0.1.0","run":"order-42","entries":4,"blobs":2,"redact":{…}}
 *   {"seq":1,"epoch":0,"at":"2026-11-21T00:00:00.000Z","kind":"start","inline":true,"value":{"who":"ana"}}
 *   {"blob":"W9cA…","text":"\"Be kind.\""}
 *
 * An entry's large field is data under `value` where it is plain JSON, so that people can read it and see it change; and
 * devalue's text under `devalue` where it is not.
 */

/** The version of the format. A reader knows all that came before. */
const VERSION = 1;

/** What was taken out of a file, and is to be taken out of what is compared with it. */
export interface Redacted {
  readonly paths: readonly string[];
  /** Source and flags of regular expressions. */
  readonly patterns: readonly (readonly [string, string])[];
}

export interface RunFile {
  readonly runId: string;
  readonly entries: readonly Entry[];
  readonly blobs: ReadonlyMap<string, string>;
  readonly redacted: Redacted;
}

const RICH = "devalue:";

/** The text of a file. Ends in a newline. */
export function writeRunFile({ runId, entries, blobs, redacted }: RunFile): string {
  const { paths, patterns } = redacted;
  const head = {
    holdfast: "run",
    version: VERSION,
    core,
    run: runId,
    entries: entries.length,
    blobs: blobs.size,
    ...(paths.length + patterns.length > 0 ? { redact: redacted } : {}),
  };
  const lines = [head, ...entries.map(lineOf), ...[...blobs].map(([blob, text]) => ({ blob, text }))];
  return `${lines.map((line) => JSON.stringify(line)).join("\n")}\n`;
}

/**
 * Reads the text of a file and checks that it is whole: each entry follows the one before, each blob is what its name says,
 * and none that an entry names is missing. Throws INVALID_ARGUMENT for what is no such file or is newer than this code, and
 * LEDGER_CORRUPT for one that was damaged.
 */
export async function parseRunFile(text: string): Promise<RunFile> {
  const lines = text.split("\n").filter((line) => line.trim() !== "");
  const head = parsed(lines[0], 1);
  if (head.holdfast !== "run" || typeof head.run !== "string") {
    throw noFile("does not begin as one: write it with hf.exportRun");
  }
  if (typeof head.version !== "number" || head.version > VERSION) {
    throw noFile(`has version ${String(head.version)}, this code knows ${VERSION}: upgrade @holdfast/core`);
  }
  const runId = head.run;
  const [n, m] = [Number(head.entries), Number(head.blobs)];
  if (lines.length !== 1 + n + m) {
    const why = `the file has ${lines.length - 1} lines after its first, and should have ${n} entries and ${m} blobs`;
    throw new HoldfastError("LEDGER_CORRUPT", { runId, seq: n, why });
  }
  const entries = lines.slice(1, 1 + n).map((line, i) => entryOf(runId, parsed(line, i + 2), i + 2));
  replay(entries);
  const blobs = new Map(lines.slice(1 + n).map((line, i) => blobOf(runId, parsed(line, i + n + 2))));
  const { paths = [], patterns = [] } = (head.redact ?? {}) as Partial<Redacted>;
  const file = { runId, entries, blobs, redacted: { paths, patterns } };
  await blobsNamedIn(entries, recordOf(file).blobs);
  return file;
}

/** The run, as code may be run over it. */
export function recordOf({ runId, entries, blobs }: Omit<RunFile, "redacted">): RecordedRun {
  const read = (hashes: readonly string[]) =>
    new Map(hashes.flatMap((hash) => (blobs.has(hash) ? [[hash, blobs.get(hash) as string] as const] : [])));
  return { runId, entries, blobs: (hashes) => Promise.resolve(read(hashes)) };
}

function lineOf({ runId: _runId, at, ...entry }: Entry): object {
  const { seq, epoch, kind, value, ...rest } = entry as typeof entry & { value?: Encoded };
  const large =
    value === undefined
      ? {}
      : value.startsWith(RICH)
        ? { devalue: value.slice(RICH.length) }
        : { value: JSON.parse(value) as unknown };
  return { seq, epoch, at: at.toISOString(), kind, ...rest, ...large };
}

function entryOf(runId: string, line: Record<string, unknown>, at: number): Entry {
  const { seq, epoch, kind, value, devalue, ...rest } = line;
  const when = new Date(String(line.at));
  if (!Number.isInteger(seq) || !Number.isInteger(epoch) || typeof kind !== "string" || Number.isNaN(+when)) {
    throw noFile(`has no entry in line ${at}`);
  }
  const large =
    typeof devalue === "string"
      ? { value: (RICH + devalue) as Encoded }
      : "value" in line
        ? { value: JSON.stringify(value) as Encoded }
        : {};
  // What its kind asks of it is checked where it is folded.
  return { ...rest, runId, seq, epoch, kind, at: when, ...large } as unknown as Entry;
}

function blobOf(runId: string, { blob, text }: Record<string, unknown>): [string, string] {
  if (typeof blob !== "string" || typeof text !== "string" || !isNamed(blob, text)) {
    throw new HoldfastError("LEDGER_CORRUPT", {
      runId,
      seq: 0,
      why: `the blob ${String(blob)} is not what its name says`,
    });
  }
  return [blob, text];
}

/** A part is named by the hash of its text, bytes by theirs, and a list by the chain of its items (see request.ts). */
function isNamed(hash: string, text: string): boolean {
  if (hashOf(text) === hash || hashOf(Buffer.from(text, "base64")) === hash) return true;
  try {
    const { after, items } = JSON.parse(text) as { after: string | null; items: string[] };
    const chain = (before: string, item: string) => hashOf(before + item);
    return items.reduce(chain, after ?? "") === hash;
  } catch {
    return false;
  }
}

function parsed(line: string | undefined, at: number): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(line ?? "");
    if (typeof value === "object" && value !== null) return value as Record<string, unknown>;
  } catch {
    // falls through: it is none of ours
  }
  throw noFile(`has no JSON object in line ${at}`);
}

const noFile = (why: string) => new HoldfastError("INVALID_ARGUMENT", { argument: "The file of a run", why });
