import type { Encoded } from "../codec.ts";
import type { Command, Ended, Entry } from "./entry.ts";

/** What others told a run, and how long it was worked on. Part of a Run: folded with it (see replay.ts). */
export interface Told {
  /** The input it works with: the one it was started with, or the last that it was redriven with. */
  input: Encoded | undefined;
  /** What it was told to do and has not been told otherwise since, nor has ended since. */
  command: Entry<Command> | undefined;
  /** Runs that have ended and that this one needs, by their ids. */
  readonly ended: Map<string, Entry<Ended>>;
  /** What was sent to it, in order. */
  readonly messages: Entry<Command>[];
  /** Steps that were begun, over all executions: also those whose answers were set aside. */
  stepsTaken: number;
  /** Time from a takeover to the last entry of its owner, over all epochs, in milliseconds. Not the time between them. */
  workedMs: number;
  working: { readonly since: number; last: number } | undefined;
}

export const nothingTold = (): Told => ({
  input: undefined,
  command: undefined,
  ended: new Map(),
  messages: [],
  stepsTaken: 0,
  workedMs: 0,
  working: undefined,
});

/** Folds one more entry into what was told. */
export function hear(told: Told, entry: Entry): void {
  time(told, entry);
  if (entry.kind === "start") told.input = entry.value;
  if (entry.kind === "note" && entry.note === "ended") told.ended.set(entry.run, entry);
  if (entry.kind === "note" && entry.note === "forked") told.command = undefined;
  if (entry.kind === "outcome") told.command = undefined; // what is tried again was not told so
  if (entry.kind !== "command") return;
  switch (entry.command) {
    case "pause":
    case "cancel":
      told.command = entry;
      break;
    case "resume":
      told.command = undefined;
      break;
    case "send":
      told.messages.push(entry);
      break;
    case "redrive":
      told.command = undefined;
      told.input = entry.value ?? told.input;
      break;
    case "raiseBudget":
      break; // see budget/tally.ts
  }
}

function time(told: Told, entry: Entry): void {
  const at = entry.at.getTime();
  if (entry.kind === "takeover") {
    close(told);
    // Whoever only noticed that its owner is dead does not work on it.
    told.working = entry.number === undefined ? undefined : { since: at, last: at };
    return;
  }
  if (!told.working) return;
  told.working.last = at;
  const ends = entry.kind === "outcome" || (entry.kind === "note" && LEAVES.has(entry.note));
  if (ends) close(told);
}

const LEAVES = new Set(["parked", "released", "failing"]);

function close(told: Told): void {
  if (told.working) told.workedMs += told.working.last - told.working.since;
  told.working = undefined;
}
