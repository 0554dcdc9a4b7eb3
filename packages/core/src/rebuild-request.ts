import { HoldfastError } from "./errors.ts";
import { fromPlain, fromPlainKey } from "./json.ts";
import type { Entry, KeptField, KeptRequest, Observation } from "./ledger/entry.ts";
import { replay } from "./ledger/replay.ts";
import { CALLED, WHOLE } from "./request.ts";
import { getBlobs } from "./store/blobs.ts";
import type { Database } from "./store/database.ts";
import { readEntries } from "./store/ledger.ts";
import { mustGetHead } from "./store/runs.ts";

/** Blobs of one run by their hashes. One that is missing is missing from the answer. */
export type ReadBlobs = (hashes: readonly string[]) => Promise<ReadonlyMap<string, string>>;

/**
 * The request that a recorded model call sent, as the adapter announced it. Throws RUN_NOT_FOUND, INVALID_ARGUMENT where
 * the step is no recorded model call, LEDGER_CORRUPT where a part of it is missing.
 */
export async function rebuildRequest(db: Database, runId: string, step: string): Promise<unknown> {
  const head = await mustGetHead(db, runId);
  const found = replay(await readEntries(db, head)).steps.get(step);
  if (found?.at !== "observed" || !found.observation.request) {
    const why = `is no recorded model call of run ${runId}: ${step}`;
    throw new HoldfastError("INVALID_ARGUMENT", { argument: "step", why });
  }
  return await requestOf(found.observation, (hashes) => getBlobs(db, head.run, hashes));
}

/** What an observed model call was asked. Throws LEDGER_CORRUPT where a part of it is missing. */
export async function requestOf(
  { runId, seq, request }: Entry<Observation>,
  read: ReadBlobs,
): Promise<unknown> {
  const kept = request ?? {};
  const blobs = await Blobs.of([kept], read, missingIn(runId, seq));
  const rebuilt = (field: KeptField): unknown => {
    if ("is" in field) return fromPlain(field.is, blobs.bytes);
    return "blob" in field
      ? blobs.value(field.blob)
      : blobs.list(field.list).map((hash) => blobs.value(hash));
  };
  const whole = kept[WHOLE];
  if (whole) return rebuilt(whole);
  const fields = Object.entries(kept).filter(([name]) => name !== CALLED);
  return Object.fromEntries(fields.map(([name, field]) => [fromPlainKey(name), rebuilt(field)]));
}

/** All blobs that these entries name, directly or by others. Throws LEDGER_CORRUPT where one is missing. */
export async function blobsNamedIn(
  entries: readonly Entry[],
  read: ReadBlobs,
): Promise<ReadonlyMap<string, string>> {
  const requests = entries.flatMap((entry) =>
    entry.kind === "observation" && entry.request ? [entry.request] : [],
  );
  const last = entries.at(-1);
  return (await Blobs.of(requests, read, missingIn(last?.runId ?? "", last?.seq ?? 0))).texts;
}

const missingIn = (runId: string, seq: number) => (hash: string) =>
  new HoldfastError("LEDGER_CORRUPT", { runId, seq, why: `the blob ${hash} is missing` });

/** Blobs of a run, read a level at a time: lists name lists and items, items name bytes. */
class Blobs {
  readonly texts: ReadonlyMap<string, string>;
  readonly #missing: (hash: string) => HoldfastError;

  private constructor(texts: ReadonlyMap<string, string>, missing: (hash: string) => HoldfastError) {
    this.texts = texts;
    this.#missing = missing;
  }

  static async of(
    requests: readonly KeptRequest[],
    from: ReadBlobs,
    missing: (hash: string) => HoldfastError,
  ): Promise<Blobs> {
    const texts = new Map<string, string>();
    const blobs = new Blobs(texts, missing);
    const read = async (hashes: readonly string[]) => {
      const wanted = [...new Set(hashes)].filter((hash) => !texts.has(hash));
      if (wanted.length === 0) return [];
      for (const [hash, text] of await from(wanted)) texts.set(hash, text);
      return wanted;
    };
    const fields = requests.flatMap((request) => Object.values(request));
    let nodes = fields.flatMap((field) => ("list" in field ? [field.list] : []));
    const items = fields.flatMap((field) => ("blob" in field ? [field.blob] : []));
    while (nodes.length > 0) {
      const here = (await read(nodes)).map((hash) => blobs.#node(hash));
      for (const node of here) items.push(...node.items);
      nodes = here.flatMap(({ after }) => (after === null ? [] : [after]));
    }
    await read(items);
    await read(items.flatMap((hash) => bytesIn(JSON.parse(blobs.#text(hash)))));
    return blobs;
  }

  readonly bytes = (hash: string): Uint8Array => new Uint8Array(Buffer.from(this.#text(hash), "base64"));

  value(hash: string): unknown {
    return fromPlain(JSON.parse(this.#text(hash)), this.bytes);
  }

  list(hash: string): string[] {
    const nodes: string[][] = [];
    for (let at: string | null = hash; at !== null; at = this.#node(at).after)
      nodes.push(this.#node(at).items);
    return nodes.reverse().flat();
  }

  #node(hash: string): { after: string | null; items: string[] } {
    return JSON.parse(this.#text(hash)) as { after: string | null; items: string[] };
  }

  #text(hash: string): string {
    const text = this.texts.get(hash);
    if (text === undefined) throw this.#missing(hash);
    return text;
  }
}

function bytesIn(plain: unknown): string[] {
  if (typeof plain !== "object" || plain === null) return [];
  if (Array.isArray(plain)) return plain.flatMap(bytesIn);
  return Object.entries(plain).flatMap(([key, value]) =>
    key === "$bytes" && typeof value === "string" ? [value] : bytesIn(value),
  );
}
