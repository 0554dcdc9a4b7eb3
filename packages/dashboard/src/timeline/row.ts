import type { CallKind, Effect, Usage } from "@holdfast/core";
import type { Entry } from "./entry.ts";

/**
 * How far a call has come. `asked`: a person has not answered yet. `open`: it is under way. `cut`: its process died before
 * it was heard of. `doubt`: it may have happened. `happened`, `undone`: how a doubt about it was resolved.
 */
export type CallState =
  | "asked"
  | "approved"
  | "open"
  | "ok"
  | "failed"
  | "refused"
  | "cut"
  | "doubt"
  | "happened"
  | "undone";

/** One attempt at a call, as one process made it. All instants are in milliseconds by the database's clock. */
export interface CallRow {
  readonly row: "call";
  readonly seq: number;
  readonly depth: number;
  readonly step: string;
  readonly call: CallKind;
  readonly name: string;
  readonly state: CallState;
  /** When a person was asked about it. */
  readonly askedAt: number | undefined;
  readonly from: number;
  /** Undefined while nobody has heard of it. */
  readonly to: number | undefined;
  /** An earlier attempt at the same step is on record. */
  readonly again: boolean;
  /** Fields of a model request that differed from the record. */
  readonly drift: readonly string[];
  readonly tries: number;
  readonly effect: Effect | undefined;
  readonly key: string | undefined;
  readonly input: unknown;
  readonly output: unknown;
  readonly error: unknown;
  readonly reason: string | undefined;
  readonly usage: Usage | undefined;
  /** In micro-dollars. */
  readonly cost: number | undefined;
  readonly hold: number | undefined;
  readonly estimated: boolean;
  readonly mocked: string | undefined;
  readonly asks: readonly string[];
  /** The entries that it is made of. */
  readonly entries: readonly Entry[];
}

/** A lane, or the body of a call that is not itself in the section. */
export interface LaneRow {
  readonly row: "lane";
  readonly path: string;
  readonly label: string;
  readonly depth: number;
  readonly from: number;
  readonly to: number | undefined;
}

export type Tone = "plain" | "good" | "bad" | "warn" | "ask";

/** Something that happened at one moment. */
export interface EventRow {
  readonly row: "event";
  readonly seq: number;
  readonly depth: number;
  readonly at: number;
  readonly step: string | undefined;
  readonly tone: Tone;
  readonly text: string;
  readonly entry: Entry;
}

export type Row = CallRow | LaneRow | EventRow;
