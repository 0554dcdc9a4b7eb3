import { HoldfastError } from "@holdfast/core";

/** A snapshot of Postgres: which transactions had been committed when it was taken, and when that was. */
export interface Snapshot {
  readonly id: string;
  readonly at: string;
}

/**
 * A place among the entries of all runs. What was committed by `seen` has been told; of what came until `upto`, also what
 * stands no further than `behind`. It needs no memory of a server's, and no entry can slip in before it: an entry counts
 * by when it was committed, not by when it says it was written.
 */
export interface Cursor {
  readonly seen: Snapshot;
  readonly upto?: { readonly snapshot: Snapshot; readonly behind: Place };
}

/** What was committed between two snapshots is told by run and seq: a run's entries in their order. */
export interface Place {
  readonly run: string;
  readonly seq: number;
}

export function writeCursor({ seen, upto }: Cursor): string {
  const { snapshot, behind } = upto ?? {};
  const parts = [seen.id, seen.at];
  if (snapshot && behind) parts.push(snapshot.id, snapshot.at, behind.run, String(behind.seq));
  return Buffer.from(parts.join("|")).toString("base64url");
}

/** Throws INVALID_ARGUMENT for text that no event had as its id. */
export function readCursor(text: string): Cursor {
  const parts = Buffer.from(text, "base64url").toString().split("|");
  const [seenId = "", seenAt = "", id = "", at = "", run = "", seq = ""] = parts;
  const isWhole = parts.length === 2 || parts.length === 6;
  if (isWhole && isSnapshot(seenId) && INSTANT.test(seenAt)) {
    const seen = { id: seenId, at: seenAt };
    if (parts.length === 2) return { seen };
    const isPlace = /^\d{1,18}$/.test(run) && /^\d{1,9}$/.test(seq);
    if (isSnapshot(id) && INSTANT.test(at) && isPlace)
      return { seen, upto: { snapshot: { id, at }, behind: { run, seq: Number(seq) } } };
  }
  throw new HoldfastError("INVALID_ARGUMENT", {
    argument: "Last-Event-ID",
    why: "is none that an event had",
  });
}

/** As Postgres writes a timestamptz, and reads it: no month or hour that there is not. */
const INSTANT =
  /^\d{4}-(0\d|1[0-2])-([0-2]\d|3[01]) ([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,6})?[+-]\d\d(:\d\d){0,2}$/;

/** `xmin:xmax:xip,xip`, ascending, as Postgres takes it. */
function isSnapshot(text: string): boolean {
  const [, xmin = "", xmax = "", list = ""] =
    /^(\d{1,18}):(\d{1,18}):((?:\d{1,18},)*\d{1,18})?$/.exec(text) ?? [];
  if (xmin === "") return false;
  const open = list === "" ? [] : list.split(",").map(BigInt);
  const [first, last] = [BigInt(xmin), BigInt(xmax)];
  return (
    first > 0n &&
    first <= last &&
    open.every((xid, i) => xid >= (open[i - 1] ?? first - 1n) + 1n && xid < last)
  );
}
