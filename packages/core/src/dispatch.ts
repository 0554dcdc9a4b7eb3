import { setTimeout as pause } from "node:timers/promises";
import { decode, type Encoded, encode, encodeError } from "./codec.ts";
import type { Course, Located } from "./course.ts";
import type { Cleared } from "./deciding.ts";
import { failureOf, noteOrigin } from "./error-class.ts";
import { HoldfastError } from "./errors.ts";
import { Lane } from "./lane.ts";
import type { Effect, Observation, Usage } from "./ledger/entry.ts";
import { type Retry, waitMs } from "./retry.ts";
import type { RunWriter } from "./run-writer.ts";
import { type Execution, Scope } from "./scope.ts";
import type { RunSettings } from "./settings.ts";
import type { Bill } from "./spending.ts";
import type { Begun, Call, EmittedCall, Live } from "./step/call.ts";
import { canRepeat } from "./step/plan.ts";
import type { Transaction } from "./store/database.ts";
import { unavailable } from "./store/pg.ts";

/** On what terms a call goes out: what is declared of it. */
export interface Terms {
  /** Undefined: a plain model call, which has no effect to fear. */
  readonly effect: Effect | undefined;
  readonly timeoutMs: number | undefined;
  readonly retry: Retry | undefined;
}

/** What a call needs of the run that it goes out from. */
export interface Host {
  readonly session: Execution;
  readonly course: Course;
  readonly writer: RunWriter;
  readonly settings: Pick<RunSettings, "redactor" | "maxOutputBytes">;
  stop(error: unknown): void;
  /** The call was aborted: it may have happened, or not. */
  aborted(error: unknown): void;
  /** What came of the call is said, and on its way to the ledger. */
  said(): void;
  /** A model was asked, and has answered, or not. */
  asked(unanswered: Unanswered | undefined): void;
  /** Settles as the promise does, or never where the run has stopped. */
  unlessStopped<T>(promise: Promise<T>): Promise<T>;
  /** Throws unless the run is still this process' to call for. */
  mayDispatch(): Promise<void>;
  /** Begins a connection of one's own on the ledger's database, in a transaction. */
  transaction(idleMs: number): Promise<Transaction>;
}

/** A model call that failed, and so has no outcome as long as it may be tried again. */
export interface Unanswered {
  readonly error: unknown;
  /** Makes its failure its outcome. */
  record(): Promise<void>;
}

/** A transaction that cannot be rolled back in so long is given up, and its connection with it. */
const ROLLBACK_MS = 1_000;
/** The transaction of a tool that says nothing for so long is ended by Postgres: its owner may be gone. */
const IDLE_TRANSACTION_MS = 60_000;

/** A call that is going out: intended, durable where it must be, and not yet observed. */
export class Dispatch<T> implements Live<T> {
  readonly at = "live";
  readonly key: string;
  readonly #host: Host;
  readonly #lane: Lane;
  readonly #call: Call<T>;
  readonly #located: Located;
  readonly #terms: Terms;
  readonly #bill: Bill | undefined;
  readonly #mark: { readonly parallel: boolean };
  readonly #close: () => void;
  readonly #again: () => Promise<Begun<T>>;
  readonly #cleared: Cleared;
  readonly #intended: boolean;
  readonly #mayHaveHappened: boolean;
  readonly #started = performance.now();
  #read = 0;
  #body: Scope;
  #signal: AbortSignal;

  constructor(
    host: Host,
    lane: Lane,
    call: Call<T>,
    located: Located,
    going: {
      readonly idempotencyKey: string;
      readonly terms: Terms;
      /** What it is billed by; undefined where nothing is counted. */
      readonly bill: Bill | undefined;
      /** Whether another call of its row was open meanwhile. */
      readonly mark: { readonly parallel: boolean };
      /** The step is at rest: whoever waits for it may look at the ledger. */
      readonly close: () => void;
      /** By what it goes out. */
      readonly cleared: Cleared;
      /** An intent says so. */
      readonly intended: boolean;
      /** It has gone out before, and what came of that was not recorded. */
      readonly mayHaveHappened: boolean;
      /** Plans the call anew: it is in doubt, and waits until that is settled. */
      readonly again: () => Promise<Begun<T>>;
    },
  ) {
    this.#host = host;
    this.#lane = lane;
    this.#call = call;
    this.#located = located;
    this.#terms = going.terms;
    this.#bill = going.bill;
    this.#mark = going.mark;
    this.#close = going.close;
    this.#again = going.again;
    this.#cleared = going.cleared;
    this.#intended = going.intended;
    this.#mayHaveHappened = going.mayHaveHappened;
    this.key = going.idempotencyKey;
    this.#body = this.#newBody();
    this.#signal = this.#signalWith();
  }

  get signal(): AbortSignal {
    return this.#signal;
  }

  get input(): unknown {
    const { changed } = this.#cleared;
    return changed ? changed.input : this.#call.input;
  }

  get maxOutputTokens(): number | undefined {
    return this.#bill?.maxOutputTokens;
  }

  enter<R>(work: () => R): R {
    return this.#body.enter(work);
  }

  async carryOut(work: (live: Live<T>) => T | PromiseLike<T>): Promise<T> {
    if (this.#terms.effect === "transaction") return await this.#transact(work);
    for (let tries = 1; ; tries++) {
      const tried = await this.#try(work);
      if (tried.as === "returned") return await this.commit(tried.value);
      if (tried.as === "overdue" && this.#terms.effect === "once") return await this.#doubt(work);
      if (tried.as === "aborted") {
        await this.fail(tried.error, { aborted: true });
        throw tried.error;
      }
      if (this.#call.undone?.(tried.error)) {
        await this.#undo();
        throw tried.error;
      }
      const error = this.#shown(tried.error);
      const ms = canRepeat(this.#terms.effect)
        ? waitMs(this.#terms.retry, tries, Math.random(), failureOf(error))
        : undefined;
      if (ms === undefined) {
        await this.fail(error);
        throw error;
      }
      if (!(await this.#waitToRetry(tries, error, Math.round(ms)))) {
        await this.fail(error, { aborted: true });
        throw error;
      }
      // What its body did is on record: the next try comes to it as an execution that goes on would.
      this.#body = this.#newBody();
    }
  }

  async commit(value: T, { durable = false } = {}): Promise<T> {
    let encoded: Encoded;
    try {
      encoded = this.#encode(value);
    } catch (error) {
      // The call has happened: that its value cannot be kept is its outcome, and never a reason to call again.
      await this.#host.unlessStopped(this.#observe(encode(error), false));
      throw error;
    }
    const read = decode(encoded) as T;
    if (this.#call.kind === "model") this.#host.asked(undefined);
    const asks = this.#call.emits?.(read) ?? [];
    this.#host.course.consume(this.#lane, this.#located.key, asks);
    const recorded = this.#observe(encoded, true, asks, this.#call.usage?.(read));
    recorded.catch((error) => this.#host.stop(error));
    // What may not be repeated is on record before the agent goes on. What may, is sent at the end of this turn, with what
    // the agent says until then: its next intent, mostly.
    if (durable || !mayLag(this.#terms.effect)) await this.#host.unlessStopped(recorded);
    return read;
  }

  async grow(bytes: number): Promise<void> {
    this.#read += bytes;
    if (this.#read <= this.#host.settings.maxOutputBytes) return;
    const error = this.#tooLarge(this.#read);
    await this.#host.unlessStopped(this.#observe(encode(error), false));
    throw error;
  }

  async fail(
    error: unknown,
    { aborted = false, said }: { aborted?: boolean; said?: unknown } = {},
  ): Promise<void> {
    noteOrigin(error, this.#call.kind === "model" ? "model" : "tool");
    if (this.#call.kind === "model" || aborted) {
      this.#settleFailed(error, said);
      // No outcome: a model call's next try takes its place; an aborted effect may have happened, or not.
      const { row } = this.#located;
      row?.taken.delete(row.n);
      if (aborted) this.#host.aborted(error);
      else if (this.#terms.effect === undefined) this.#host.asked(this.#unanswered(error));
      this.#close();
      return;
    }
    const recorded = this.#observe(encodeError(this.#shown(error)), false);
    recorded.catch((failed) => this.#host.stop(failed));
    await this.#host.unlessStopped(recorded);
  }

  #unanswered(error: unknown): Unanswered {
    const { redactor } = this.#host.settings;
    const record = () => this.#observe(encodeError(redactor.apply("error", error)), false);
    return { error, record };
  }

  /** The call has given itself up, to be made again: it leaves no outcome, and no doubt. One that may have happened stays open. */
  async #undo(): Promise<void> {
    const { key, row } = this.#located;
    row?.taken.delete(row.n);
    if (this.#terms.effect !== undefined && !this.#mayHaveHappened) {
      const comment = "the call gave itself up before it was done";
      this.#host.writer.say({ kind: "resolution", step: key, happened: false, by: "holdfast", comment });
      await this.#host.unlessStopped(this.#host.writer.flush());
    }
    if (this.#terms.effect === undefined && this.#bill?.isHeld) {
      const why = "the call gave itself up before it was done";
      this.#host.writer.say({
        kind: "note",
        note: "settled",
        step: key,
        name: this.#call.name,
        why,
        cost: 0,
      });
    }
    this.#close();
  }

  /**
   * A plain model call that failed has no entry of its own, and its hold has to end. Where the run itself has stopped, its
   * next owner says so: an entry of this one would wake a run that is parked.
   */
  #settleFailed(error: unknown, said: unknown): void {
    const isPlain = this.#call.kind === "model" && this.#terms.effect === undefined;
    if (!this.#bill?.isHeld || !isPlain || this.#host.session.signal.aborted) return;
    const message = this.#host.settings.redactor.message(error);
    const why = error instanceof Error ? `${error.name}: ${message}` : message;
    const step = this.#located.key;
    const cost = this.#bill.settleFailed(error, said);
    this.#host.writer.say({ kind: "note", note: "settled", step, name: this.#call.name, why, ...cost });
  }

  async #observe(
    value: Encoded,
    ok: boolean,
    asks: readonly EmittedCall[] = [],
    usage?: Usage,
  ): Promise<void> {
    const { asked } = this.#located;
    this.#host.writer.keep(asked?.blobs() ?? []);
    const invented = asks.length > 0 ? this.#host.course.inventedIn(this.#located.key) : [];
    this.#host.writer.say(this.#observation(value, ok, asks, usage), ...invented);
    this.#host.said();
    this.#located.row?.open.delete(this.#mark); // what begins from here on does not run beside it
    // The step stays open until its record is durable: a repeat of the call finds it there. And only then are the parts
    // of its request believed to be kept.
    const durable = this.#host.writer.flush();
    durable.then(
      () => asked?.kept(),
      () => {},
    );
    durable.then(this.#close, this.#close);
    return durable;
  }

  /**
   * What a tool or step threw, as it is recorded: whoever called it gets no more than a replay will give, or its text would
   * stand in the next prompt.
   */
  #shown(error: unknown): unknown {
    return this.#call.kind === "model" ? error : this.#host.settings.redactor.apply("error", error);
  }

  /** Throws NOT_SERIALIZABLE or OUTPUT_TOO_LARGE: the call has happened, and that is its outcome. */
  #encode(value: T): Encoded {
    const { redactor, maxOutputBytes: limit } = this.#host.settings;
    const encoded = encode(redactor.apply("output", value));
    const bytes = Buffer.byteLength(encoded);
    if (bytes <= limit) return encoded;
    throw this.#tooLarge(bytes);
  }

  #tooLarge(bytes: number): HoldfastError {
    const { maxOutputBytes: limit } = this.#host.settings;
    const { runId } = this.#host.session;
    return new HoldfastError("OUTPUT_TOO_LARGE", { runId, step: this.#located.key, bytes, limit });
  }

  #observation(value: Encoded, ok: boolean, asks: readonly EmittedCall[] = [], usage?: Usage): Observation {
    const { key, digest, asked } = this.#located;
    const { decision, question } = this.#intended ? {} : this.#cleared;
    return {
      kind: "observation",
      step: key,
      call: this.#call.kind,
      name: this.#call.name,
      digest,
      ok,
      ms: Math.round(performance.now() - this.#started),
      ...(asked ? { request: asked.request } : {}),
      ...(usage ? { usage } : {}),
      ...this.#bill?.settle(usage, ok),
      ...(asks.length > 0 ? { asks: asks.map(({ id, name, answer }) => ({ id, name, answer })) } : {}),
      ...(this.#mark.parallel ? { parallel: true } : {}),
      ...besideOf(this.#lane),
      decision,
      question,
      value,
    };
  }

  async #try(work: (live: Live<T>) => T | PromiseLike<T>): Promise<Tried<T>> {
    const { timeoutMs } = this.#terms;
    const overdue = new AbortController();
    this.#signal = this.#signalWith(overdue.signal);
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      if (timeoutMs === undefined) return;
      const { key } = this.#located;
      const error = new HoldfastError("TIMED_OUT", { runId: this.#host.session.runId, step: key, timeoutMs });
      timer = setTimeout(() => {
        overdue.abort(error);
        reject(error);
      }, timeoutMs);
    });
    try {
      return { as: "returned", value: await Promise.race([this.enter(async () => await work(this)), late]) };
    } catch (error) {
      if (overdue.signal.aborted) return { as: "overdue", error: overdue.signal.reason };
      return { as: this.#signal.aborted ? "aborted" : "threw", error };
    } finally {
      clearTimeout(timer);
    }
  }

  /** False where the caller has given the call up meanwhile. */
  async #waitToRetry(tries: number, error: unknown, ms: number): Promise<boolean> {
    const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    const step = this.#located.key;
    this.#host.writer.say({ kind: "note", note: "retried", step, tries, error: text, waitMs: ms });
    const signal = this.#signalWith();
    await pause(ms, undefined, { signal }).catch(() => {});
    // A run that stops meanwhile leaves its intent open: the next owner may call again.
    if (this.#host.session.signal.aborted) await new Promise<never>(() => {});
    await this.#host.unlessStopped(this.#host.mayDispatch());
    return !signal.aborted;
  }

  /** Nobody knows what becomes of a call that outlived its time: it is in doubt at once, and its run waits. */
  async #doubt(work: (live: Live<T>) => T | PromiseLike<T>): Promise<T> {
    const why = `the call took longer than its ${this.#terms.timeoutMs} ms, and may yet happen`;
    this.#host.writer.say({ kind: "doubt", step: this.#located.key, why });
    await this.#host.unlessStopped(this.#host.writer.flush());
    this.#close();
    const begun = await this.#again();
    return begun.at === "recorded" ? begun.value : await begun.carryOut(work);
  }

  /** The tool's own rows and the record of its outcome are committed together, or not at all. */
  async #transact(work: (live: Live<T>) => T | PromiseLike<T>): Promise<T> {
    for (let tries = 1; ; tries++) {
      const tried = await this.#tryTransaction(work);
      if (tried.as === "returned") return tried.value;
      if (tried.as === "threw" && this.#call.undone?.(tried.error)) {
        await this.#undo();
        throw tried.error;
      }
      const error = this.#shown(tried.error);
      const ms =
        tried.as === "aborted"
          ? undefined
          : waitMs(this.#terms.retry, tries, Math.random(), failureOf(error));
      const aborted =
        tried.as === "aborted" ||
        (ms !== undefined && !(await this.#waitToRetry(tries, error, Math.round(ms))));
      if (ms !== undefined && !aborted) continue;
      await this.fail(error, { aborted });
      throw error;
    }
  }

  async #tryTransaction(work: (live: Live<T>) => T | PromiseLike<T>): Promise<Tried<T>> {
    const idleMs = (this.#terms.timeoutMs ?? 0) + IDLE_TRANSACTION_MS;
    const tx = await this.#host.unlessStopped(this.#host.transaction(idleMs));
    this.#body = this.#newBody().with(tx.client);
    // A run that stops gives its transaction up: the tool may never come back to say so.
    const abandon = () => tx.abandon();
    const { signal } = this.#host.session;
    if (signal.aborted) {
      abandon();
      return await new Promise<never>(() => {});
    }
    signal.addEventListener("abort", abandon, { once: true });
    try {
      const tried = await this.#try(work);
      if (tried.as !== "returned") {
        // What the tool stumbled over when its connection was lost is no outcome of the tool.
        if (tx.isLost) return await this.#host.unlessStopped(Promise.reject(unavailable(tried.error)));
        // What the tool has under way may take its time; it is not waited for long.
        const bound = setTimeout(abandon, ROLLBACK_MS);
        await tx.rollback();
        clearTimeout(bound);
        return tried;
      }
      const encoded = this.#encode(tried.value);
      const committing = this.#host.writer.commitWith(tx, this.#observation(encoded, true));
      const refused = await this.#host.unlessStopped(committing);
      if (refused) return { as: "threw", error: refused.refused };
      this.#close();
      return { as: "returned", value: decode(encoded) as T };
    } catch (error) {
      await tx.rollback(); // the value cannot be kept
      return { as: "threw", error };
    } finally {
      signal.removeEventListener("abort", abandon);
    }
  }

  #newBody(): Scope {
    return new Scope(this.#host.session, new Lane(this.#call.name, this.#lane, this.#located.key), this.key);
  }

  #signalWith(...more: AbortSignal[]): AbortSignal {
    const own = this.#call.signal ? [this.#call.signal] : [];
    const all = [this.#host.session.signal, ...own, ...more];
    return all.length === 1 ? (all[0] as AbortSignal) : AbortSignal.any(all);
  }
}

/** Does a crash before its record is durable cost no more than the call once again? */
const mayLag = (effect: Effect | undefined) =>
  effect === undefined || effect === "read" || effect === "idempotent";

/** Which lanes of its path an entry says ran beside others: mostly none, and then it says nothing. */
export function besideOf(lane: Lane): { beside?: readonly string[] } {
  const beside = lane.beside();
  return beside.length > 0 ? { beside } : {};
}

type Tried<T> =
  | { readonly as: "returned"; readonly value: T }
  | { readonly as: "threw" | "aborted" | "overdue"; readonly error: unknown };
