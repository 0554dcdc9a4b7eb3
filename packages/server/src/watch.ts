import type { Holdfast, LedgerEntry } from "@holdfast/core";
import { Hints } from "./hints.ts";
import { getPlaces, type Place } from "./store/places.ts";

/** How long after it was written an entry is seen, at most, also where no hint comes: all that is watched is looked at together. */
const LOOK_MS = 250;
/** Entries that are read at once. */
const PAGE = 200;

/** Waits for runs to move on: however many watch, one statement looks for all of them. */
export class Watch {
  readonly #hf: Holdfast;
  readonly #waiting = new Map<string, Set<(place: Place | undefined) => void>>();
  #looking = false;

  constructor(hf: Holdfast) {
    this.#hf = hf;
  }

  /** The entries of a run behind `after` as they are written, until its last one. Goes on through takeovers and waits. */
  async *entries(runId: string, after: number, signal: AbortSignal): AsyncGenerator<LedgerEntry> {
    let place = (await this.#look([runId])).get(runId);
    while (place && !signal.aborted) {
      const entries = place.seq > after ? await this.#hf.entries(runId, { after, limit: PAGE }) : [];
      for (const entry of entries) {
        yield entry;
        after = entry.seq;
      }
      if (entries.length > 0) continue;
      if (place.ended) return;
      place = await this.#moved(runId, after, signal);
    }
  }

  /** Where a run stands. Undefined: there is none. */
  async place(runId: string): Promise<Place | undefined> {
    return (await this.#look([runId])).get(runId);
  }

  /** Where the run stands once it has moved on from `after`, or has ended. */
  async #moved(runId: string, after: number, signal: AbortSignal): Promise<Place | undefined> {
    return await new Promise((resolve) => {
      const listeners = this.#waiting.get(runId) ?? new Set();
      this.#waiting.set(runId, listeners);
      const done = (place: Place | undefined) => {
        listeners.delete(listen);
        if (listeners.size === 0) this.#waiting.delete(runId);
        signal.removeEventListener("abort", stop);
        resolve(place);
      };
      const listen = (place: Place | undefined) => {
        if (!place || place.seq > after || place.ended) done(place);
      };
      const stop = () => done(undefined);
      listeners.add(listen);
      signal.addEventListener("abort", stop);
      if (signal.aborted) stop();
      else void this.#keepLooking();
    });
  }

  async #keepLooking(): Promise<void> {
    if (this.#looking) return;
    this.#looking = true;
    const hints = new Hints(this.#hf);
    while (this.#waiting.size > 0) {
      await hints.wait(LOOK_MS);
      const runIds = [...this.#waiting.keys()];
      // Where the database stays away, everybody is sent off: who comes back with the last id misses nothing.
      const places = await this.#look(runIds).catch(() => new Map<string, Place>());
      for (const id of runIds) this.#tell(id, places.get(id));
    }
    hints.end();
    this.#looking = false;
  }

  #tell(runId: string, place: Place | undefined): void {
    for (const listen of [...(this.#waiting.get(runId) ?? [])]) listen(place);
  }

  async #look(runIds: readonly string[]): Promise<Map<string, Place>> {
    return await getPlaces((await this.#hf.opened()).db, runIds);
  }
}
