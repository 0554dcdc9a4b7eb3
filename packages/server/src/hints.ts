import type { Holdfast } from "@holdfast/core";

/** How soon after one hint the next is heeded: however many runs move, the database is looked at so often at most. */
const SHORTEST_MS = 25;

/** Hints that runs have moved on, for as long as somebody waits for that. Where none come, time alone decides. */
export class Hints {
  readonly #listening: Promise<(() => void) | undefined>;
  #wake = () => {};
  #isHinted = false;

  constructor(hf: Holdfast) {
    this.#listening = hf
      .onMoved(() => {
        this.#isHinted = true;
        this.#wake();
      })
      .catch(() => undefined);
  }

  /** Waits until runs have moved on, and at most so long. */
  async wait(mostMs: number): Promise<void> {
    await this.#pause(SHORTEST_MS);
    if (!this.#isHinted) await this.#pause(mostMs - SHORTEST_MS, true);
    this.#isHinted = false;
  }

  end(): void {
    void this.#listening.then((stop) => stop?.());
  }

  async #pause(ms: number, isWoken = false): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms).unref();
      if (!isWoken) return;
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#wake = () => {};
  }
}
