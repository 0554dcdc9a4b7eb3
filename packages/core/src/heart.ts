import { existsSync } from "node:fs";
import { hostname } from "node:os";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { HoldfastError } from "./errors.ts";
import type { ThreadData, ThreadMessage } from "./heartbeat-thread.ts";
import { Pulse } from "./pulse.ts";
import type { ConnectionOptions } from "./store/database.ts";
import { unavailable } from "./store/pg.ts";
import { version } from "./version.ts";

/** The main loop may stand still for so many times to live before its worker is given up for wedged. */
export const WEDGED_AFTER_LEASES = 4;
/** How long a first connection of the heartbeat may take. */
const FIRST_BEAT_MS = 15_000;

/** How often this worker's leases had run out, and which holding of its lock it was in. */
export interface Standing {
  readonly lapses: bigint;
  readonly lock: bigint;
}

export interface HeartOptions {
  readonly connection: ConnectionOptions;
  readonly leaseSeconds: number;
  /** Called after every beat with the runs this worker leases in the database. */
  readonly onBeat: (leases: readonly string[]) => void;
}

/**
 * Keeps this process' leases: one row for all its runs, renewed every third of the time to live by a thread with a
 * connection of its own, so that an agent that computes for a minute is not taken for dead. The thread renews only while
 * this loop turns now and then: a wedged process does not live for ever.
 */
export class Heart {
  readonly #thread: Worker;
  readonly #pulse: Pulse;
  readonly #ticking: NodeJS.Timeout;
  readonly #watching: NodeJS.Timeout;
  readonly #started: Promise<void>;
  readonly #lapsed = new Set<() => void>();
  readonly #onBeat: HeartOptions["onBeat"];
  #number = 0;
  #lapses = 0n;
  #dead: Error | undefined;
  #changed = () => {};
  #change = new Promise<void>((resolve) => {
    this.#changed = resolve;
  });

  constructor({ connection, leaseSeconds, onBeat }: HeartOptions) {
    this.#onBeat = onBeat;
    this.#pulse = new Pulse();
    this.#pulse.tick();
    const data: ThreadData = {
      memory: this.#pulse.memory,
      connection,
      leaseSeconds,
      wedgedAfterSeconds: leaseSeconds * WEDGED_AFTER_LEASES,
      host: hostname(),
      pid: process.pid,
      version,
    };
    this.#thread = new Worker(threadFile(), { workerData: data, name: "holdfast heartbeat", execArgv: [] });
    const tickMs = Math.min(1000, (leaseSeconds * 1000) / 10);
    this.#ticking = setInterval(() => this.#pulse.tick(), tickMs).unref();
    this.#watching = setInterval(() => this.#watch(), tickMs / 2).unref();
    this.#started = this.#start();
    this.#started.catch(() => {});
  }

  /** The worker's number, once it is registered: what runs are leased by. */
  get number(): number {
    return this.#number;
  }

  /** host:pid, for people. */
  get name(): string {
    return `${hostname()}:${process.pid}`;
  }

  /** Has the heart stopped for good? Then its Holdfast starts another for the next run. */
  get isDead(): boolean {
    return this.#dead !== undefined;
  }

  /** Resolves with the first beat. Throws DATABASE_UNAVAILABLE where there is none in time. */
  started(): Promise<void> {
    return this.#started;
  }

  /** Resolves once a run may be taken: the leases are good and the lock is held. Throws DATABASE_UNAVAILABLE in time. */
  async ready(): Promise<void> {
    await this.#started;
    const until = performance.now() + FIRST_BEAT_MS;
    while (this.mayCall(this.standing) !== "yes") {
      const left = until - performance.now();
      if (left <= 0 || this.#dead)
        throw unavailable(this.#dead ?? new Error("the heartbeat does not come through"));
      await this.changed(left);
    }
  }

  /** What a lease taken or confirmed now is good under. */
  get standing(): Standing {
    const { lapses, lock } = this.#pulse;
    return { lapses, lock };
  }

  /**
   * May a call go out under a lease that was good at `standing`? Asked in the same tick in which it goes out. "unsure": the
   * session lock was lost since and is back, and meanwhile others may have taken the run.
   */
  mayCall({ lapses, lock }: Standing): "yes" | "lapsed" | "unlocked" | "unsure" {
    if (this.#dead || this.#pulse.lapses !== lapses || this.#pulse.isOver()) return "lapsed";
    const held = this.#pulse.lock;
    if (held === 0n) return "unlocked";
    return held === lock ? "yes" : "unsure";
  }

  /** Resolves when a beat came through or a lease is over, at the latest after `boundMs`. Keeps the process alive. */
  async changed(boundMs: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const bound = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, boundMs);
    });
    await Promise.race([this.#change, bound]);
    clearTimeout(timer);
  }

  /** Calls back once the leases have run out. Gives back how to stop listening. */
  onLapse(listener: () => void): () => void {
    this.#lapsed.add(listener);
    return () => this.#lapsed.delete(listener);
  }

  async stop(): Promise<void> {
    clearInterval(this.#ticking);
    clearInterval(this.#watching);
    if (this.#dead) return;
    this.#dead = new Error("stopped");
    const exited = new Promise<void>((resolve) => this.#thread.once("exit", () => resolve()));
    this.#thread.ref();
    this.#thread.postMessage("stop");
    const bound = setTimeout(() => void this.#thread.terminate(), 2000);
    await exited;
    clearTimeout(bound);
  }

  async #start(): Promise<void> {
    let away: Error | undefined;
    const beaten = new Promise<void>((resolve, reject) => {
      this.#thread.on("message", (message: ThreadMessage) => {
        if (message.at === "registered") this.#number = message.worker;
        if (message.at === "away") away = message.error;
        if (message.at !== "beat") return;
        this.#onBeat(message.leases);
        resolve();
        this.#announce();
      });
      this.#thread.on("error", (error: Error) => {
        this.#dead ??= error;
        reject(unavailable(error));
        this.#watch();
      });
      this.#thread.on("exit", () => {
        this.#dead ??= new Error("the heartbeat's thread has ended");
        reject(unavailable(this.#dead));
      });
    });
    // A process that has nothing else to do may end. Only now: a listener for messages refs the thread anew. The timer
    // keeps the loop alive while the first beat is waited for.
    this.#thread.unref();
    let timer: NodeJS.Timeout | undefined;
    const tooLate = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        reject(
          away
            ? unavailable(away)
            : new HoldfastError("DATABASE_UNAVAILABLE", { why: "no heartbeat came through" }),
        );
      }, FIRST_BEAT_MS);
    });
    try {
      await Promise.race([beaten, tooLate]);
    } catch (error) {
      void this.stop(); // the next run gets another heart
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Timers fire late in a process that was stopped; this one then tells before anything else goes out. */
  #watch(): void {
    const lapses = this.#pulse.lapses;
    if (!this.#dead && !this.#pulse.isOver() && lapses === this.#lapses) return;
    if (this.#number === 0) return;
    this.#lapses = lapses;
    for (const listener of this.#lapsed) listener();
    this.#announce();
  }

  #announce(): void {
    this.#changed();
    this.#change = new Promise((resolve) => {
      this.#changed = resolve;
    });
  }
}

/** The thread's file stands beside this one: as source, or as what it was built to. */
function threadFile(): string {
  for (const extension of [".ts", ".js", ".cjs"]) {
    if (!import.meta.url.endsWith(extension)) continue;
    const file = fileURLToPath(new URL(`./heartbeat-thread${extension}`, import.meta.url));
    if (existsSync(file)) return file;
  }
  return fileURLToPath(new URL("./heartbeat-thread.js", import.meta.url));
}
