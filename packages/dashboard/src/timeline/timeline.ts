import type { CallKind } from "@holdfast/core";
import { type Entry, type EntryOf, instantOf } from "./entry.ts";
import { eventOf } from "./event.ts";
import { nested } from "./nest.ts";
import type { CallRow, CallState, EventRow, Row } from "./row.ts";

/** What one process did with the run, from its takeover to the next. */
export interface Section {
  readonly takeover: EntryOf<"takeover"> | undefined;
  readonly at: number;
  /** Steps that were on record when it began: they are answered from the ledger. */
  readonly recorded: number;
  /** Calls that its predecessor left under way. */
  readonly cutOff: number;
  readonly rows: readonly Row[];
}

export interface Timeline {
  readonly sections: readonly Section[];
  /** Of the first entry, and of the last. */
  readonly from: number;
  readonly to: number;
  /** Behind these entries, in order, no call is under way: the run can be forked there. */
  readonly forkable: readonly number[];
  /** Whoever calls hf.run does the work. */
  readonly isInline: boolean;
}

type Draft = { -readonly [K in keyof CallRow]: CallRow[K] };
interface DraftSection {
  takeover: EntryOf<"takeover"> | undefined;
  at: number;
  recorded: number;
  cutOff: number;
  rows: (Draft | EventRow)[];
}

/** What the entries of a run look like, process by process and step by step. Pure; entries may still be missing at the end. */
export function timelineOf(entries: readonly Entry[]): Timeline {
  const [first, last] = [entries[0], entries.at(-1)];
  if (!first || !last) return { sections: [], from: 0, to: 0, forkable: [], isInline: false };
  const fold = new Fold(instantOf(first));
  const forkable: number[] = [];
  for (const entry of entries) {
    fold.take(entry);
    if (!fold.hasOpenIntent) forkable.push(entry.seq);
  }
  return {
    sections: fold.sections.map((section) => ({ ...section, rows: nested(section.rows) })),
    from: instantOf(first),
    to: instantOf(last),
    forkable,
    isInline: first.kind === "start" && first.inline,
  };
}

class Fold {
  readonly sections: DraftSection[];
  /** The latest attempt at each step. */
  readonly #rows = new Map<string, Draft>();
  readonly #intended = new Set<string>();
  readonly #settled = new Set<string>();
  #section: DraftSection;

  constructor(at: number) {
    this.#section = { takeover: undefined, at, recorded: 0, cutOff: 0, rows: [] };
    this.sections = [this.#section];
  }

  get hasOpenIntent(): boolean {
    return this.#intended.size > 0;
  }

  take(entry: Entry): void {
    const at = instantOf(entry);
    switch (entry.kind) {
      case "takeover":
        this.#takeOver(entry, at);
        return;
      case "question": {
        const row = this.#attempt(entry, at, { call: entry.call, state: "asked", askedAt: at });
        row.input = entry.input;
        return;
      }
      case "answer": {
        const row = this.#rows.get(entry.step);
        if (row?.state === "asked") row.state = entry.says === "approved" ? "approved" : row.state;
        if (row) row.entries = [...row.entries, entry];
        this.#event(entry, at);
        return;
      }
      case "intent": {
        // A plain model call has no effect to fear: its intent only holds money.
        if (entry.call !== "model" || entry.effect !== "read") this.#intended.add(entry.step);
        const row = this.#attempt(entry, at, { call: entry.call, state: "open" });
        Object.assign(row, { from: at, effect: entry.effect, key: entry.key, hold: entry.hold });
        row.input = entry.input;
        return;
      }
      case "observation": {
        this.#intended.delete(entry.step);
        this.#settled.add(entry.step);
        this.#observe(entry, at);
        return;
      }
      case "refusal": {
        this.#settled.add(entry.step);
        const row = this.#attempt(entry, at, { call: entry.call ?? "tool", state: "refused" });
        Object.assign(row, { to: at, reason: entry.reason });
        row.input ??= entry.input;
        return;
      }
      case "doubt":
        this.#about(entry.step, entry, { state: "doubt", reason: entry.why });
        this.#event(entry, at);
        return;
      case "resolution": {
        this.#intended.delete(entry.step);
        if (entry.happened) this.#settled.add(entry.step);
        const outcome = entry.happened
          ? { state: "happened" as const, output: entry.output }
          : { state: "undone" as const };
        const row = this.#about(entry.step, entry, outcome);
        if (row) row.to ??= at;
        this.#event(entry, at);
        return;
      }
      case "note":
        this.#note(entry, at);
        return;
      case "start":
      case "command":
      case "outcome":
        this.#event(entry, at);
    }
  }

  #takeOver(entry: EntryOf<"takeover">, at: number): void {
    let cutOff = 0;
    for (const row of this.#rows.values()) {
      if (row.state !== "open") continue;
      Object.assign(row, { state: "cut", to: at });
      cutOff++;
    }
    // Whoever starts the run takes nothing over.
    if (this.sections.length === 1 && entry.after === "start" && !this.#section.takeover) {
      this.#section.takeover = entry;
      return;
    }
    // Whoever notices a death queues the run, and may well be the one that claims it: that is one takeover.
    const { takeover, rows } = this.#section;
    const isClaim = entry.after === "handover" && takeover?.worker === entry.worker;
    if (isClaim && rows.every((row) => row.row === "event" && isReleased(row.entry))) return;
    this.#section = { takeover: entry, at, recorded: this.#settled.size, cutOff, rows: [] };
    this.sections.push(this.#section);
  }

  #observe(entry: EntryOf<"observation">, at: number): void {
    const latest = this.#rows.get(entry.step);
    const isOf = latest && (latest.state === "open" || latest.state === "cut" || latest.state === "doubt");
    const row = isOf
      ? latest
      : this.#attempt(entry, at - (entry.ms ?? 0), { call: entry.call, state: "open" });
    if (isOf) row.entries = [...row.entries, entry];
    Object.assign(row, {
      state: entry.ok ? "ok" : "failed",
      to: at,
      usage: entry.usage,
      cost: entry.cost,
      estimated: entry.estimated ?? false,
      mocked: entry.mocked,
      asks: entry.asks?.map(({ name }) => name) ?? [],
      output: entry.output,
      error: entry.error,
    });
  }

  #note(entry: EntryOf<"note">, at: number): void {
    switch (entry.note) {
      case "drift":
        this.#about(entry.step, entry, { drift: entry.differs });
        break;
      case "retried":
        this.#about(entry.step, entry, { tries: entry.tries + 1 });
        break;
      case "settled":
        this.#about(entry.step, entry, {
          cost: entry.cost,
          usage: entry.usage,
          estimated: entry.estimated ?? false,
        });
        break;
      default:
    }
    this.#event(entry, at);
  }

  #about(step: string, entry: Entry, change: Partial<Draft>): Draft | undefined {
    const row = this.#rows.get(step);
    if (row) Object.assign(row, change, { entries: [...row.entries, entry] });
    return row;
  }

  /** The attempt that an entry belongs to: the one that waits for it here, or else a new one. */
  #attempt(
    entry: EntryOf<"question" | "intent" | "observation" | "refusal">,
    from: number,
    now: { readonly call: CallKind; readonly state: CallState; readonly askedAt?: number },
  ): Draft {
    const before = this.#rows.get(entry.step);
    if (before && (before.state === "asked" || before.state === "approved")) {
      Object.assign(before, now, { entries: [...before.entries, entry] });
      return before;
    }
    const row: Draft = {
      ...{ row: "call", seq: entry.seq, depth: 0, step: entry.step, name: entry.name, from, to: undefined },
      ...{ again: before !== undefined, drift: [], tries: 1, asks: [], entries: [entry], estimated: false },
      ...{ effect: undefined, key: undefined, input: undefined, output: undefined, error: undefined },
      ...{ reason: undefined, usage: undefined, cost: undefined, hold: undefined, mocked: undefined },
      askedAt: undefined,
      ...now,
    };
    this.#rows.set(entry.step, row);
    this.#section.rows.push(row);
    return row;
  }

  #event(entry: Entry, at: number): void {
    const told = eventOf(entry, (step) => this.#rows.get(step)?.name ?? step);
    if (!told) return;
    const step = "step" in entry ? entry.step : undefined;
    this.#section.rows.push({ row: "event", seq: entry.seq, depth: 0, at, step, entry, ...told });
  }
}

const isReleased = (entry: Entry) => entry.kind === "note" && entry.note === "released";
