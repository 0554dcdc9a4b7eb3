import { decode } from "../codec.ts";
import { HoldfastError } from "../errors.ts";
import type { Database } from "../store/database.ts";
import { type End, endsOf } from "../store/results.ts";
import { mustGetHead } from "../store/runs.ts";

const SHORTEST_LOOK_MS = 10;
const LONGEST_LOOK_MS = 250;

/** Waits for runs to end that anybody may be working on: one look at the database for all that are waited for. */
export class Results {
  readonly #db: () => Promise<Database>;
  readonly #waiting = new Map<string, Set<(end: End) => void>>();
  #looking: Promise<void> | undefined;
  #wake = () => {};

  constructor(db: () => Promise<Database>) {
    this.#db = db;
  }

  /** Resolves when the run has ended. Throws RUN_NOT_FOUND. */
  async endOf(runId: string): Promise<End> {
    const db = await this.#db();
    await mustGetHead(db, runId);
    return await new Promise((resolve, reject) => {
      const waiting = this.#waiting.get(runId) ?? new Set();
      this.#waiting.set(runId, waiting.add(resolve));
      this.#looking ??= this.#look(db).finally(() => {
        this.#looking = undefined;
      });
      this.#looking.catch((error: unknown) => {
        this.#waiting.delete(runId);
        reject(error);
      });
      this.#wake();
    });
  }

  /** A run has ended in this very process: no need to wait for the next look. */
  announce(runId: string): void {
    if (this.#waiting.has(runId)) this.#wake();
  }

  async #look(db: Database): Promise<void> {
    let lookMs = SHORTEST_LOOK_MS;
    while (this.#waiting.size > 0) {
      let woken = false;
      let timer: NodeJS.Timeout | undefined;
      await new Promise<void>((resolve) => {
        timer = setTimeout(resolve, lookMs);
        this.#wake = () => {
          woken = true;
          resolve();
        };
      });
      clearTimeout(timer);
      this.#wake = () => {};
      const ends = await endsOf(db, [...this.#waiting.keys()]);
      for (const end of ends) {
        for (const resolve of this.#waiting.get(end.runId) ?? []) resolve(end);
        this.#waiting.delete(end.runId);
      }
      lookMs = woken || ends.length > 0 ? SHORTEST_LOOK_MS : Math.min(lookMs * 1.5, LONGEST_LOOK_MS);
    }
  }
}

/** What a run has returned. Throws what it failed with, CANCELLED, RUN_DEAD, COMMAND_NOT_ALLOWED for one that was pruned. */
export function resultOf({ runId, status, pruned, reason, value }: End): unknown {
  if (pruned) {
    const why = "it has ended and was pruned: its value is gone";
    throw new HoldfastError("COMMAND_NOT_ALLOWED", { runId, command: "read the result of", why });
  }
  switch (status) {
    case "succeeded":
      return value === undefined ? undefined : decode(value);
    case "failed":
      throw value === undefined ? undefined : decode(value);
    case "cancelled":
      throw new HoldfastError("CANCELLED", { runId, by: undefined });
    case "dead":
      throw new HoldfastError("RUN_DEAD", { runId, reason: reason ?? "it killed its workers" });
  }
}
