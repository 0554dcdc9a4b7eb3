import { setImmediate as nextTurn } from "node:timers/promises";
import type { Appender } from "./appender.ts";
import { decode, type Encoded, encode } from "./codec.ts";
import { Course, type Located } from "./course.ts";
import { HoldfastError } from "./errors.ts";
import type { Heart } from "./heart.ts";
import { enterRow, Lane } from "./lane.ts";
import type { Effect, Entry, Intent, Outcome } from "./ledger/entry.ts";
import { idempotencyKeyOf } from "./ledger/key.ts";
import { doubtsOf, forget, type Run, replay } from "./ledger/replay.ts";
import { resampledSteps } from "./ledger/resample.ts";
import { must } from "./must.ts";
import type { WaitingOn } from "./run/status.ts";
import { RunWriter } from "./run-writer.ts";
import { currentScope, Scope } from "./scope.ts";
import { type RunSettings, settingsOf } from "./settings.ts";
import type { Begun, Call, Live } from "./step/call.ts";
import { plan } from "./step/plan.ts";
import type { Database } from "./store/database.ts";
import { park } from "./store/lease.ts";
import type { Lease } from "./store/ledger.ts";
import { unreachable } from "./unreachable.ts";

/** How long a run that parks lets calls settle that are under way. Then it parks all the same. */
const SETTLE_MS = 60_000;

/** What a session works with: of its process, not of its run. */
export interface Means {
  readonly db: Database;
  readonly appender: Appender;
  readonly heart: Heart;
  readonly settings: RunSettings;
}

/** The run as its owner holds it, or as it was when it had finished. */
export type Opened =
  | {
      readonly as: "owner";
      readonly means: Means;
      readonly lease: Lease;
      readonly lapses: bigint;
      readonly entries: readonly Entry[];
    }
  | { readonly as: "reader"; readonly settings: RunSettings; readonly entries: readonly Entry[] };

/** A call that goes out. */
interface Dispatch {
  readonly effect: Effect | undefined;
  readonly idempotencyKey: string;
  /** Whether another of its row was open meanwhile. */
  readonly mark: { parallel: boolean };
  readonly close: () => void;
  readonly writer: RunWriter;
}

/** The call is on record as having thrown, or was refused: what its caller is to catch. */
interface Threw {
  readonly at: "threw";
  readonly error: unknown;
}

/**
 * One execution of a run in this process: the shell around `plan`. Every call of the agent comes through `begin`; what
 * became of it goes to the ledger before anything that depends on it goes out. The first control-flow error sticks:
 * from then on no call settles, and whoever waits for the run is told.
 */
export class Session {
  readonly runId: string;
  readonly root: Scope;
  /** The scope that the run was started in: it is a child of that one's run. */
  readonly parent: Scope | undefined = currentScope();
  /** Rejects with the error that stopped the run. Nobody needs to listen. */
  readonly stopped: Promise<never>;
  readonly #controller = new AbortController();
  readonly #opened = Promise.withResolvers<void>();
  readonly #open = new Map<string, Promise<unknown>>();
  readonly #kept = new Set<PromiseLike<unknown>>();
  readonly #waiting = new Map<string, { waitingOn: WaitingOn; settled: () => void }>();
  /** Lanes in which a call waits to begin: what was called around them cannot settle. */
  readonly #held = new Map<Promise<unknown>, Lane>();
  #rejectStopped: (error: unknown) => void = () => {};
  #stopError: { error: unknown } | undefined;
  #parking: Promise<void> | undefined;
  #changed = Promise.withResolvers<void>();
  #as: Opened | undefined;
  #run: Run = replay([]);
  #course: Course;
  #writer: RunWriter | undefined;
  #unlisten = () => {};
  #ended = false;

  constructor(runId: string) {
    this.runId = runId;
    this.#course = new Course(runId, this.#run);
    this.root = new Scope(this, new Lane("", undefined, ""));
    this.stopped = new Promise((_, reject) => {
      this.#rejectStopped = reject;
    });
    this.stopped.catch(() => {});
    this.#opened.promise.catch(() => {});
  }

  /** Gives the session its run. Calls that came before have waited for it. */
  open(opened: Opened): void {
    this.#as = opened;
    this.#run = replay(opened.entries);
    if (opened.as === "owner") {
      const { means, lease, lapses } = opened;
      this.#writer = new RunWriter(means, lease, this.#run, {
        outside: () => this.#recheck(),
        error: (error) => this.stop(error),
      });
      const superseded = this.#run.takeover?.after === "retry" ? resampledSteps(this.#run) : [];
      if (superseded.length > 0) {
        this.#writer.say({ kind: "note", note: "resampled", steps: superseded });
        for (const key of superseded) forget(this.#run, key);
      }
      // A worker that could not renew in time stops itself first: nothing that it begins now would be its own.
      this.#unlisten = means.heart.onLapse(() => {
        if (means.heart.mayCall(lapses) === "lapsed") this.stop(lapsed(this.runId));
      });
    }
    this.#course = new Course(this.runId, this.#run);
    this.#opened.resolve();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Did something stop the run, whatever the framework made of it? */
  get stopError(): { error: unknown } | undefined {
    return this.#stopError;
  }

  /**
   * Nothing of this run goes on in this process. The first reason sticks. Signals are aborted after whoever waits for
   * the run has been told, so that the abort is not what they hear of.
   */
  stop(error: unknown): void {
    if (this.#stopError) return;
    this.#stopError = { error };
    this.#unlisten();
    this.#rejectStopped(error);
    setImmediate(() => this.#controller.abort(error));
    this.#announce();
  }

  keep(promise: PromiseLike<unknown>): void {
    this.#kept.add(promise);
    const settled = () => {
      this.#kept.delete(promise);
      this.#announce();
    };
    promise.then(settled, settled);
  }

  /** A framework tries a lane again: model answers after its last intent are not used a second time. */
  resample(lane: Lane): void {
    if (lane.path === undefined || !this.#writer) return;
    const steps = resampledSteps(this.#run, lane.path);
    if (steps.length === 0) return;
    this.#writer.say({ kind: "note", note: "resampled", steps });
    for (const key of steps) forget(this.#run, key);
  }

  async begin<T>(lane: Lane, call: Call<T>): Promise<Begun<T>> {
    if (!this.#as) await this.#opened.promise;
    if (this.#ended) {
      const why = `run ${this.runId} has ended; await what a run begins before its work returns`;
      throw new HoldfastError("UNHELD_CALL", { name: call.name, why });
    }
    if (this.#parking !== undefined || this.#stopError) await this.#hold(lane, this.#mayBegin());
    let begun: Begun<T> | Threw;
    try {
      begun = await this.#begin(lane, call);
    } catch (error) {
      // An input that cannot be kept is the caller's affair. Anything else is about the run, not about the call: a
      // framework must not get hold of it, or it would tell the model and go on.
      if (HoldfastError.is(error, "NOT_SERIALIZABLE")) throw error;
      this.stop(error);
      return never();
    }
    if (begun.at === "threw") throw begun.error;
    return begun;
  }

  async #begin<T>(lane: Lane, call: Call<T>): Promise<Begun<T> | Threw> {
    const settings = call.kind === "tool" ? settingsOf(this.#settings.tools, call.name) : {};
    const effect = call.effect ?? settings.effect ?? (call.kind === "model" ? undefined : "once");
    const located = this.#course.locate(lane, call);
    const { key, digest, drift } = located;
    if (drift) {
      if (this.#settings.drift === "fail") {
        throw new HoldfastError("DRIFTED", { runId: this.runId, step: key, differs: drift });
      }
      this.#writer?.say({ kind: "note", note: "drift", step: key, differs: drift });
    }
    for (;;) {
      // The same call twice at once (a framework that repeats a tool call) is one call: wait for what comes of it.
      if (this.#open.has(key)) {
        await this.#open.get(key);
        continue;
      }
      const step = this.#run.steps.get(key);
      const planned = plan(step, digest, effect);
      switch (planned.do) {
        case "return": {
          const value = (planned.output === undefined ? undefined : decode(planned.output)) as T;
          this.#course.consume(lane, key, call.emits?.(value));
          return { at: "recorded", value };
        }
        case "throw":
          this.#course.consume(lane, key);
          return { at: "threw", error: planned.error === undefined ? undefined : decode(planned.error) };
        case "refuse":
          this.#course.consume(lane, key);
          return {
            at: "threw",
            error: new HoldfastError("POLICY_DENIED", {
              runId: this.runId,
              step: key,
              reason: planned.reason,
            }),
          };
        case "diverge":
          throw this.#course.diverged(key, planned.why);
        case "resolve":
          if (planned.step.at === "intended") {
            const why = "the call may have gone out, and what came of it was not recorded";
            this.#writerOr(key).say({ kind: "doubt", step: key, why });
          }
          await this.#hold(lane, this.#wait(key, "doubt"));
          continue;
        case "execute":
          return await this.#execute(lane, call, located, effect);
        default:
          unreachable(planned);
      }
    }
  }

  async #execute<T>(
    lane: Lane,
    call: Call<T>,
    located: Located,
    effect: Effect | undefined,
  ): Promise<Begun<T>> {
    const { key, digest, row } = located;
    const writer = this.#writerOr(key);
    const mark = { parallel: false };
    if (row) enterRow(row.open, mark);
    const done = Promise.withResolvers<void>();
    this.#open.set(key, done.promise);
    const close = () => {
      row?.open.delete(mark);
      this.#open.delete(key);
      done.resolve();
      this.#announce();
    };
    const intendedBefore = this.#run.steps.has(key);
    this.#course.consume(lane, key);
    const idempotencyKey = idempotencyKeyOf(this.runId, key);
    try {
      if (effect !== undefined) {
        if (effect !== "read" && !intendedBefore) this.#course.refuseBesideUnconsumed(lane, call.name, key);
        const intent: Intent = {
          kind: "intent",
          step: key,
          call: call.kind,
          name: call.name,
          digest,
          effect,
          key: idempotencyKey,
          id: call.id,
          parallel: mark.parallel || undefined,
          value: encode(call.kind === "model" ? undefined : located.input),
        };
        writer.say(intent);
        // A call goes out only once its intent, and all that came before it, is durable.
        await writer.flush();
      }
      await this.#mayDispatch();
    } catch (error) {
      close();
      throw error;
    }
    if (this.#stopError) {
      close();
      return never();
    }
    return this.#live(lane, call, located, { effect, idempotencyKey, mark, close, writer });
  }

  #live<T>(
    lane: Lane,
    call: Call<T>,
    { key, digest, fields, row }: Located,
    { effect, idempotencyKey, mark, close, writer }: Dispatch,
  ): Live<T> {
    const started = performance.now();
    const body = new Scope(this, new Lane(call.name, lane, key), idempotencyKey);
    const observe = async (value: Encoded, ok: boolean, usage?: unknown) => {
      writer.say({
        kind: "observation",
        step: key,
        call: call.kind,
        name: call.name,
        digest,
        ok,
        ms: Math.round(performance.now() - started),
        ...(fields ? { fields } : {}),
        ...(usage ? { usage } : {}),
        ...(mark.parallel ? { parallel: true } : {}),
        value,
      });
      // The step stays open until its record is durable: a repeat of the call finds it there.
      const durable = writer.flush();
      durable.then(close, close);
      return durable;
    };
    return {
      at: "live",
      key: idempotencyKey,
      signal: this.signal,
      enter: (work) => body.enter(work),
      commit: async (value, { durable = false } = {}) => {
        let encoded: Encoded;
        try {
          encoded = encode(value);
        } catch (error) {
          // The call has happened: that its value cannot be kept is its outcome, and never a reason to call again.
          await this.#unlessStopped(observe(encode(error), false));
          throw error;
        }
        const read = decode(encoded) as T;
        if (call.emits) this.#course.consume(lane, key, call.emits(read));
        const recorded = observe(encoded, true, call.usage?.(read));
        recorded.catch((error) => this.stop(error));
        // What may not be repeated is on record before the agent goes on. What may, travels with the next append.
        if (durable || effect === "once" || effect === "idempotent") await this.#unlessStopped(recorded);
        return read;
      },
      fail: async (error, { aborted = false } = {}) => {
        if (call.kind === "model" || aborted) {
          // No outcome: a model call's next try takes its place; an aborted effect may have happened, or not.
          row?.taken.delete(row.n);
          close();
          return;
        }
        const recorded = observe(encodeError(error), false);
        recorded.catch((failed) => this.stop(failed));
        await this.#unlessStopped(recorded);
      },
    };
  }

  /** Something recorded (a time, an id) that touches nothing outside: taken from the ledger, or made and said now. */
  value<T>(lane: Lane, name: string, make: () => T): T {
    if (!this.#as) {
      const why = "cannot be answered before the run is open: await something first, or use hf.run";
      throw new HoldfastError("INVALID_ARGUMENT", { argument: name, why });
    }
    try {
      const { key, digest } = this.#course.locate(lane, { kind: "step", name, input: undefined });
      const step = this.#run.steps.get(key);
      this.#course.consume(lane, key);
      if (step?.at === "observed" && step.observation.value !== undefined)
        return decode(step.observation.value) as T;
      const made = make();
      const value = encode(made);
      this.#writerOr(key).say({
        kind: "observation",
        step: key,
        call: "step",
        name,
        digest,
        ok: true,
        value,
      });
      return made;
    } catch (error) {
      this.stop(error);
      throw error;
    }
  }

  /** Just before a call goes out: is the run still ours, as far as this process can know? */
  async #mayDispatch(): Promise<void> {
    if (this.#as?.as !== "owner") return;
    const { means, lapses } = this.#as;
    for (;;) {
      const may = means.heart.mayCall(lapses);
      if (may === "yes") return;
      if (may === "lapsed") throw lapsed(this.runId);
      await means.heart.changed(100);
    }
  }

  /** Pending while the run parks: a call that is begun then waits with it, and goes on only if it did not park. */
  async #mayBegin(): Promise<void> {
    while (this.#parking !== undefined) await this.#parking;
    if (this.#stopError) await never();
  }

  /** Begins no new call, lets those settle that are under way, within a bound, and then stops. */
  async wind(error: unknown, boundMs: number): Promise<void> {
    this.#parking ??= this.#settleOpen(boundMs).finally(() => {
      this.#parking = undefined;
    });
    await this.#parking;
    this.stop(error);
  }

  async #settleOpen(boundMs: number): Promise<void> {
    const bound = performance.now() + boundMs;
    while (this.#mayYetSettle() && performance.now() < bound) await this.#change(bound - performance.now());
  }

  /** Is a call under way that does not wait, in its body, for another that may not begin? */
  #mayYetSettle(): boolean {
    const stuck = new Set<string>();
    for (let lane of this.#held.values()) {
      for (;;) {
        if (lane.path !== undefined) stuck.add(lane.path);
        if (!lane.parent) break;
        lane = lane.parent;
      }
    }
    return [...this.#open.keys()].some((key) => !stuck.has(key));
  }

  async #hold<T>(lane: Lane, waiting: Promise<T>): Promise<T> {
    this.#held.set(waiting, lane);
    this.#announce();
    try {
      return await waiting;
    } finally {
      this.#held.delete(waiting);
    }
  }

  /** Waits until what the step needs is settled from outside. Normally that is in another process: the run parks. */
  async #wait(key: string, waitingOn: WaitingOn): Promise<void> {
    const settled = Promise.withResolvers<void>();
    this.#waiting.set(key, { waitingOn, settled: settled.resolve });
    this.#parking ??= this.#park().finally(() => {
      this.#parking = undefined;
    });
    await settled.promise;
  }

  async #park(): Promise<void> {
    try {
      // Siblings that are called in the same turn get going first, and then have their time to settle.
      await nextTurn();
      await this.#settleOpen(SETTLE_MS);
      const { means, lease } = this.#owner();
      const writer = must(this.#writer, "the owner's writer");
      for (;;) {
        await writer.flush();
        const [first] = this.#waiting.values();
        if (!first || this.#stopError) return;
        if (await park(means.db, { lease, number: writer.next }, this.#run.seq, first.waitingOn)) break;
        await this.#refresh();
        if (this.#waiting.size === 0) return;
      }
      writer.skip();
      this.stop(this.waitingError([...this.#waiting.values()][0]?.waitingOn ?? "caller"));
    } catch (error) {
      this.stop(error);
    }
  }

  waitingError(waitingOn: WaitingOn): HoldfastError<"RUN_WAITING"> {
    const doubts = doubtsOf(this.#run, false).map((step) => step.key);
    return new HoldfastError("RUN_WAITING", { runId: this.runId, waitingOn, questions: [], doubts });
  }

  /** Reads what others wrote. Throws FENCED where the run is not ours any more. */
  async #refresh(): Promise<void> {
    const writer = must(this.#writer, "the owner's writer");
    await writer.catchUp(Number.MAX_SAFE_INTEGER);
    if (this.#run.epoch !== writer.lease.epoch) {
      throw new HoldfastError("FENCED", {
        runId: this.runId,
        epoch: writer.lease.epoch,
        current: this.#run.epoch,
      });
    }
  }

  /** Lets those go on whose wait is over. */
  #recheck(): void {
    for (const [key, { settled }] of this.#waiting) {
      const step = this.#run.steps.get(key);
      if (step?.at === "doubted" || step?.at === "intended") continue;
      this.#waiting.delete(key);
      settled();
    }
  }

  /** Resolves when every call and everything kept has settled. Rejects with what stopped the run. */
  async settled(): Promise<void> {
    for (;;) {
      if (this.#stopError) throw this.#stopError.error;
      if (
        this.#open.size === 0 &&
        this.#kept.size === 0 &&
        this.#parking === undefined &&
        this.#waiting.size === 0
      )
        return;
      await Promise.race([this.#changed.promise, this.stopped, this.#parking ?? this.#changed.promise]);
    }
  }

  /** The run's last entry, and the end of its lease. */
  async end(outcome: Outcome): Promise<void> {
    this.#ended = true;
    this.#unlisten();
    await must(this.#writer, "the owner's writer").end(outcome, outcome.status);
  }

  /** Gives the lease back without an end: the run waits for a caller. False where it is not ours to give any more. */
  async release(): Promise<boolean> {
    if (this.#as?.as !== "owner" || !this.#writer) return false;
    this.#unlisten();
    await this.#writer.flush();
    for (let tries = 0; tries < 3; tries++) {
      const append = { lease: this.#as.lease, number: this.#writer.next };
      if (await park(this.#as.means.db, append, this.#run.seq, "caller")) return true;
      await this.#refresh();
    }
    return false;
  }

  get #settings(): RunSettings {
    const opened = must(this.#as, "an open session");
    return opened.as === "owner" ? opened.means.settings : opened.settings;
  }

  #owner() {
    if (this.#as?.as !== "owner") throw new Error("only the owner of a run parks it");
    return this.#as;
  }

  /** A finished run is only read: a call that is not on record has no place in it. */
  #writerOr(key: string): RunWriter {
    if (!this.#writer)
      throw this.#course.diverged(key, "the run has finished, and this call is not on its record");
    return this.#writer;
  }

  /** Settles as the promise does, or never where the run has stopped: nobody is to go on with it. */
  async #unlessStopped<T>(promise: Promise<T>): Promise<T> {
    try {
      return await promise;
    } catch (error) {
      if (!this.#stopError) this.stop(error);
      return never();
    }
  }

  async #change(boundMs: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const bound = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, boundMs);
    });
    await Promise.race([this.#changed.promise, bound]);
    clearTimeout(timer);
  }

  #announce(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers<void>();
  }
}

const never = <T>(): Promise<T> => new Promise<T>(() => {});

const lapsed = (runId: string) =>
  new HoldfastError("DATABASE_UNAVAILABLE", {
    why: `the lease on run ${runId} could not be renewed in time`,
  });

/** Whatever was thrown, as the ledger can keep it: at worst its text. */
function encodeError(error: unknown): Encoded {
  try {
    return encode(error);
  } catch {
    return encode(new Error(String(error)));
  }
}
