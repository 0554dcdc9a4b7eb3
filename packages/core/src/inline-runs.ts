import { limitsOf } from "./budget/cap.ts";
import { decode, encode } from "./codec.ts";
import { checkSame, enterRun } from "./enter.ts";
import { HoldfastError } from "./errors.ts";
import { finish } from "./finish.ts";
import type { Leases } from "./leases.ts";
import type { Start } from "./ledger/entry.ts";
import { replay } from "./ledger/replay.ts";
import { checkRun, type RunOptions } from "./run-options.ts";
import { Session } from "./session.ts";
import type { RunSettings } from "./settings.ts";

export interface Streamed<T> {
  /** What `work` returned, at once. */
  readonly value: T;
  /** Settles with the run: everything that `work` began has settled, and is in the ledger. */
  readonly done: Promise<void>;
}

/** A run that this process is at: whoever asks for its id again gets the same promise. */
interface Active {
  readonly promise: Promise<unknown>;
  readonly inputDigest: string | null;
  readonly agent: string | null;
}

/** What inline runs need of the Holdfast that they belong to. */
export interface InlineHost {
  readonly settings: RunSettings;
  readonly graceSeconds: number;
  readonly leases: Leases;
  readonly isClosed: () => boolean;
}

/** The inline runs that this process is at, each from its opening to its end. */
export class InlineRuns {
  readonly #host: InlineHost;
  readonly #leases: Leases;
  readonly #active = new Map<string, Active>();

  constructor(host: InlineHost) {
    this.#host = host;
    this.#leases = host.leases;
  }

  async run<T>(id: string, work: () => T | PromiseLike<T>, options: RunOptions): Promise<T> {
    const inputDigest = checkRun(id, options, this.#host.settings.redactor);
    const active = this.#active.get(id);
    if (active) {
      checkSame({ runId: id, ...active }, options.agent, inputDigest);
      return (await active.promise) as T;
    }
    const session = new Session(id, this.#host.settings, { maxSteps: options.maxSteps });
    const promise = this.#carry(
      session,
      () => session.root.enter(async () => await work()),
      id,
      inputDigest,
      options,
    );
    return await this.#activate(id, promise, inputDigest, options);
  }

  stream<T>(id: string, work: () => T, options: RunOptions): Streamed<T> {
    const inputDigest = checkRun(id, options, this.#host.settings.redactor);
    if (this.#active.has(id)) throw new HoldfastError("RUN_LEASED", { runId: id, worker: "this process" });
    const session = new Session(id, this.#host.settings, { maxSteps: options.maxSteps });
    const value = session.root.enter(work);
    const carried = this.#carry(session, () => value, id, inputDigest, options, true);
    const done = this.#activate(id, carried, inputDigest, options).then(() => {});
    done.catch(() => {}); // whoever reads the stream hears of it there
    return { value, done };
  }

  /** Carries a session that was made for a run: a replay's. */
  carry<T>(session: Session, work: () => T | PromiseLike<T>, id: string): Promise<T> {
    const carried = this.#carry(session, work, id, undefined, {});
    return this.#activate(id, carried, undefined, {});
  }

  /** Resolves when those that are under way now have ended, however. */
  async settled(): Promise<void> {
    await Promise.allSettled([...this.#active.values()].map(({ promise }) => promise));
  }

  async #activate<T>(
    id: string,
    promise: Promise<T>,
    inputDigest: string | undefined,
    options: RunOptions,
  ): Promise<T> {
    this.#active.set(id, { promise, inputDigest: inputDigest ?? null, agent: options.agent ?? null });
    try {
      return await promise;
    } finally {
      this.#active.delete(id);
    }
  }

  /** Carries a session from its opening to its end. */
  async #carry<T>(
    session: Session,
    work: () => T | PromiseLike<T>,
    runId: string,
    inputDigest: string | undefined,
    options: RunOptions,
    streamed = false,
  ): Promise<T> {
    const { agent, version, tags, input, onLeased = "refuse", budget } = options;
    const cap = budget === undefined ? this.#host.settings.budget.perRun : limitsOf("budget", budget);
    const start: Start = {
      kind: "start",
      agent,
      version,
      inline: true,
      tags,
      parent: session.parent?.runId,
      ...(cap ? { budget: cap } : {}),
      value: input === undefined ? undefined : encode(this.#host.settings.redactor.apply("input", input)),
    };
    let run: string | undefined;
    let leave = () => {};
    try {
      const { db, appender, creator, heart } = await this.#leases.beating();
      const onTaking = (taking: string) => {
        run = taking;
        this.#leases.hold(taking);
      };
      const entered = await enterRun({
        db,
        creator,
        heart,
        runId,
        start,
        inputDigest,
        onLeased,
        graceSeconds: this.#host.graceSeconds,
        isClosed: this.#host.isClosed,
        isReplay: session.trace !== undefined,
        onTaking,
        onCreating: () => this.#leases.creating(),
      });
      if (entered.at === "finished") {
        const { outcome } = replay(entered.entries);
        if (outcome?.status === "cancelled") throw new HoldfastError("CANCELLED", { runId, by: undefined });
        if (outcome?.kept && !streamed)
          return (outcome.value === undefined ? undefined : decode(outcome.value)) as T;
        session.open(entered.entries);
        const value = await Promise.race([work(), session.stopped]);
        await session.settled();
        return value as T;
      }
      run = entered.lease.run;
      this.#leases.hold(run);
      leave = this.#leases.attention.attend(run, session);
      const { entries, lease, standing } = entered;
      session.open(entries, { means: { db, appender, heart }, lease, standing });
      return await finish(session, work, this.#host.settings.redactor);
    } catch (error) {
      session.stop(error); // calls that wait for the run to open, and streams over them, must hear of it
      throw error;
    } finally {
      if (run !== undefined) this.#leases.drop(run);
      leave();
    }
  }
}
