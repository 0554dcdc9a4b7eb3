import { setImmediate as nextTurn } from "node:timers/promises";
import type { Lane } from "./lane.ts";
import type { WaitingOn } from "./run/status.ts";

/** How long a run that parks lets calls settle that are under way. Then it parks all the same. */
const SETTLE_MS = 60_000;

/** What a call waits for that comes from outside. */
export interface Wait {
  readonly waitingOn: WaitingOn;
  /** Is it there? Asked again whenever others have written to the run, and when calls under way have settled. */
  readonly isSettled: () => boolean;
  /** The run is woken after so many milliseconds, whatever has come by then. Absent: only by what it waits for. */
  readonly wakeInMs?: () => number;
  /** The step of the call itself, where it is open already: it cannot settle before its wait is over. */
  readonly step?: string;
}

interface Waiting extends Wait {
  readonly settled: () => void;
}

/** What parking needs of its session. */
export interface Parkable {
  /** Calls that are under way: their steps. */
  readonly open: ReadonlyMap<string, unknown>;
  /**
   * Gives the lease back, if nothing was written behind our back, and if what we wait by still `holds` once all that the run
   * has said is written: what others wrote may come to light with that. False: look again at what waits.
   */
  park(waitingOn: WaitingOn, wakeInMs: number | undefined, holds: () => boolean): Promise<boolean>;
  stop(error: unknown): void;
}

/**
 * Calls of one run that may not go on: those that wait for something from outside, and those that are begun while the run
 * parks because of them. An exception would be swallowed by the framework and shown to the model; so they stay pending.
 */
export class Parking {
  readonly #session: Parkable;
  readonly #waiting = new Set<Waiting>();
  /** Lanes in which a call waits to begin: what was called around them cannot settle. */
  readonly #held = new Map<object, { readonly lane: Lane; readonly step: string | undefined }>();
  /** How many calls have been let go on. */
  #released = 0;
  #under: Promise<void> | undefined;
  /** From now on calls are held: those of the turn in which parking began have got going. */
  #closed = false;
  #changed = Promise.withResolvers<void>();

  constructor(session: Parkable) {
    this.#session = session;
  }

  /** Does nothing wait, and is nothing about to park? */
  get isQuiet(): boolean {
    return this.#under === undefined && this.#waiting.size === 0;
  }

  /** Something has settled, or begun to wait. */
  announce(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers<void>();
  }

  /** Resolves at the next announcement. */
  changed(): Promise<void> {
    return this.#changed.promise;
  }

  /** Pending while the run parks. A call that is begun then goes on only if the run does not park after all. */
  async mayBegin(lane: Lane): Promise<void> {
    if (!this.#closed) return;
    await this.#hold(lane, async () => {
      while (this.#closed) await this.#under;
    });
  }

  /** Waits until what the call needs is settled. Normally that happens in another process: the run parks. */
  async wait(lane: Lane, wait: Wait): Promise<void> {
    const settled = Promise.withResolvers<void>();
    this.#waiting.add({ ...wait, settled: settled.resolve });
    this.#under ??= this.#park().finally(() => this.#reopen());
    await this.#hold(lane, () => settled.promise, wait.step);
  }

  /** Waits until it `isSettled`, as long as one of the `others` may yet settle. False: none can, without this call. */
  async outwait(
    lane: Lane,
    step: string,
    isSettled: () => boolean,
    others: () => Iterable<string>,
  ): Promise<boolean> {
    let settled = false;
    const maySettle = () => {
      const stuck = this.#stuck();
      return [...others()].some((other) => this.#session.open.has(other) && !stuck.has(other));
    };
    const until = async () => {
      for (;;) {
        settled = isSettled();
        if (settled || !maySettle()) return;
        await this.changed();
      }
    };
    await this.#hold(lane, until, step);
    return settled;
  }

  /** Lets those go on whose wait is over. */
  recheck(): void {
    for (const waiting of this.#waiting) {
      if (!waiting.isSettled()) continue;
      this.#waiting.delete(waiting);
      this.#released++;
      waiting.settled();
    }
  }

  /** Begins no new call, and gives those that are under way so long to settle: but not those around `lane`. */
  async wind(boundMs: number = SETTLE_MS, lane?: Lane): Promise<void> {
    this.#closed = true;
    const settling = lane ? this.#hold(lane, () => this.#settle(boundMs)) : this.#settle(boundMs);
    this.#under ??= settling.finally(() => this.#reopen());
    await settling;
  }

  #reopen(): void {
    this.#under = undefined;
    this.#closed = false;
    this.announce(); // who waits for the run to be quiet may have nothing else to wait for
  }

  async #park(): Promise<void> {
    try {
      // Siblings that are called in the same turn get going first, and then have their time to settle.
      await nextTurn();
      this.#closed = true;
      for (;;) {
        await this.#settle(SETTLE_MS);
        this.recheck();
        const [first] = this.#waiting;
        if (!first) return;
        const released = this.#released;
        const holds = () => this.#released === released;
        if (await this.#session.park(first.waitingOn, this.#wakeInMs(), holds)) return;
      }
    } catch (error) {
      this.#session.stop(error);
    }
  }

  #wakeInMs(): number | undefined {
    const times = [...this.#waiting].flatMap(({ wakeInMs }) => (wakeInMs ? [wakeInMs()] : []));
    return times.length > 0 ? Math.min(...times) : undefined;
  }

  async #settle(boundMs: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const bound = new Promise<"over">((resolve) => {
      timer = setTimeout(() => resolve("over"), boundMs);
    });
    while (this.#mayYetSettle() && (await Promise.race([this.changed(), bound])) !== "over");
    clearTimeout(timer);
  }

  /** Is a call under way that does not wait, in its body, for another that may not begin? */
  #mayYetSettle(): boolean {
    const stuck = this.#stuck();
    return [...this.#session.open.keys()].some((step) => !stuck.has(step));
  }

  #stuck(): Set<string> {
    const stuck = new Set<string>();
    for (const { lane, step } of this.#held.values()) {
      if (step !== undefined) stuck.add(step);
      for (let around: Lane | undefined = lane; around; around = around.parent) {
        if (around.path !== undefined) stuck.add(around.path);
      }
    }
    return stuck;
  }

  async #hold(lane: Lane, until: () => Promise<void>, step?: string): Promise<void> {
    const hold = {};
    this.#held.set(hold, { lane, step });
    this.announce();
    try {
      await until();
    } finally {
      this.#held.delete(hold);
    }
  }
}

/** A call that is not to go on stays pending: an exception would reach the framework. */
export const never = <T>(): Promise<T> => new Promise<T>(() => {});
