import { setTimeout as pause } from "node:timers/promises";
import type { Appender } from "./appender.ts";
import { type Asking, askPerson } from "./asking.ts";
import { cutOff } from "./budget/tally.ts";
import { decode, encode } from "./codec.ts";
import { Course, type Located } from "./course.ts";
import { type Cleared, Deciding } from "./deciding.ts";
import type { Candidate } from "./decisions.ts";
import { besideOf, Dispatch, type Host, type Terms, type Unanswered } from "./dispatch.ts";
import { HoldfastError } from "./errors.ts";
import type { Heart, Standing } from "./heart.ts";
import { enterRow, Lane } from "./lane.ts";
import { openQuestions } from "./ledger/asked.ts";
import type { Effect, Ended, Entry, Intent, Outcome, Resolution, Settled } from "./ledger/entry.ts";
import { idempotencyKeyOf } from "./ledger/key.ts";
import { RECEIVE, received } from "./ledger/received.ts";
import { doubtsOf, forget, lostAt, type Run, replay } from "./ledger/replay.ts";
import { resampledSteps } from "./ledger/resample.ts";
import { must } from "./must.ts";
import { Parking, type Wait } from "./parking.ts";
import type { Then } from "./policy/decision.ts";
import type { OwnedRun } from "./port.ts";
import { reconcile } from "./reconcile.ts";
import type { WaitingOn } from "./run/status.ts";
import { RunWriter } from "./run-writer.ts";
import { currentScope, type Execution, Scope } from "./scope.ts";
import { businessKeyOf, type RunSettings, settingsOf, type ToolSettings } from "./settings.ts";
import { type Bill, type Holding, type Spending, spendingOf } from "./spending.ts";
import type { Begun, Call } from "./step/call.ts";
import { plan } from "./step/plan.ts";
import { usedByAll } from "./store/counts.ts";
import type { Database } from "./store/database.ts";
import { confirmLease, type Leaving, whyNotOwned } from "./store/lease.ts";
import type { Append, Lease, Short } from "./store/ledger.ts";
import { unreachable } from "./unreachable.ts";

/** What a session works with: of its process, not of its run. */
export interface Means {
  readonly db: Database;
  readonly appender: Appender;
  readonly heart: Heart;
}

/** What the owner of a run has, over its entries. */
interface Owner {
  readonly means: Means;
  readonly lease: Lease;
  /** What the lease was last known to be good under: see Heart. */
  standing: Standing;
}

/** The call is on record as having thrown, or was refused: what its caller is to catch. */
interface Threw {
  readonly at: "threw";
  readonly error: unknown;
}

/** A call that was found, on what terms it would go out. */
interface Found<T> {
  readonly lane: Lane;
  readonly call: Call<T>;
  readonly located: Located;
  readonly terms: Terms;
  readonly settings: ToolSettings;
}

/** What bounds a whole run, over all its executions. */
export interface Limits {
  /** Calls of models, tools and steps together. */
  readonly maxSteps?: number | undefined;
  /** Time that it is worked on, in milliseconds: not the time that it waits, is paused or queued. */
  readonly timeoutMs?: number | undefined;
}

/** A wait that is no longer does not park its run. */
const SHORT_MS = 1_000;

/** How long calls under way may take to say what came of them once their run is cancelled. */
const CANCEL_SETTLE_MS = 5_000;

/** How often giving back a lease is tried against a ledger that others write to. */
const TRIES = 3;

/**
 * One execution of a run in this process: the shell around `plan`. Every call of the agent comes through `begin`; what
 * became of it goes to the ledger before anything that depends on it goes out. The first control-flow error sticks:
 * from then on no call settles, and whoever waits for the run is told.
 */
export class Session implements Execution {
  readonly runId: string;
  readonly root: Scope;
  readonly parent: Scope | undefined = currentScope();
  /** Rejects with the error that stopped the run. Nobody needs to listen. */
  readonly stopped: Promise<never>;
  readonly #settings: RunSettings;
  readonly #limits: Limits;
  readonly #controller = new AbortController();
  readonly #opened = Promise.withResolvers<void>();
  readonly #open = new Map<string, Promise<unknown>>();
  readonly #kept = new Set<PromiseLike<unknown>>();
  /** Calls that are on their way: not yet found on record, decided, or open. */
  #beginning = 0;
  /** Doubts that a tool is being asked about. */
  readonly #resolving = new Map<string, Promise<boolean>>();
  /** Calls that policy is deciding. */
  readonly #clearing = new Map<string, Promise<Cleared | undefined>>();
  /** What calls were aborted with. */
  readonly #aborted = new Map<string, unknown>();
  /** What models were asked, in order of the last try, and how it failed where it did. */
  readonly #unanswered = new Map<string, Unanswered | undefined>();
  #keptError: { error: unknown } | undefined;
  readonly #parking: Parking;
  #rejectStopped: (error: unknown) => void = () => {};
  #stopError: { error: unknown } | undefined;
  #run: Run = replay([]);
  #course: Course | undefined;
  #deciding: Deciding | undefined;
  #owner: Owner | undefined;
  #writer: RunWriter | undefined;
  #spending: Spending | undefined;
  #unlisten = () => {};
  #ended = false;
  #cancelling: Promise<void> | undefined;
  #pausing = false;
  #overtime: NodeJS.Timeout | undefined;
  /** How far the database's clock is ahead of this process', in milliseconds. */
  #aheadMs = 0;

  constructor(runId: string, settings: RunSettings, limits: Limits = {}) {
    this.runId = runId;
    this.#settings = settings;
    this.#limits = limits;
    this.root = new Scope(this, new Lane("", undefined, ""));
    this.stopped = new Promise((_, reject) => {
      this.#rejectStopped = reject;
    });
    this.stopped.catch(() => {});
    this.#parking = new Parking({
      open: this.#open,
      park: (waitingOn, wakeInMs, holds) => this.#park(waitingOn, wakeInMs, holds),
      stop: (error) => this.stop(error),
    });
  }

  /** Gives the session its run: to go on with as its owner, or, without one, to read. Calls have waited for it. */
  open(entries: readonly Entry[], owner?: Owner): void {
    this.#run = replay(entries);
    if (owner) this.#own(owner);
    this.#course = new Course(this.runId, this.#run, this.#settings.redactor);
    if (owner) this.#deciding = this.#newDeciding(this.#course, owner);
    this.#opened.resolve();
    if (owner) this.#heed();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  get set(): Execution["set"] {
    return this.#settings.standIn?.set;
  }

  get trace(): Execution["trace"] {
    const { child } = this.#settings.standIn ?? {};
    const refuse = (command: string): never => {
      const why = "a replay writes its own run, and nothing else";
      throw new HoldfastError("COMMAND_NOT_ALLOWED", { runId: this.runId, command, why });
    };
    return child && { child, refuse };
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
    clearTimeout(this.#overtime);
    this.#unlisten();
    this.#rejectStopped(error);
    setImmediate(() => this.#controller.abort(error));
    this.#parking.announce();
  }

  keep(promise: PromiseLike<unknown>): void {
    this.#kept.add(promise);
    const settled = () => {
      this.#kept.delete(promise);
      this.#parking.announce();
    };
    promise.then(settled, (error: unknown) => {
      this.#keptError ??= { error };
      settled();
    });
  }

  /** A framework tries a lane again: model answers after its last intent are not used a second time. */
  async resample(lane: Lane): Promise<void> {
    if (lane.path === undefined) return;
    if (this.#writer) await this.#unlessStopped(this.#writer.flush()); // an answer may be on its way to the ledger
    this.#setAside(resampledSteps(this.#run, lane.path));
    lane.restart();
    this.#course?.restart(lane.path);
  }

  async begin<T>(lane: Lane, call: Call<T>): Promise<Begun<T>> {
    this.#beginning++;
    try {
      await this.#mayBegin(lane, call.name);
      return await this.#unlessControlFlow(lane, () => this.#plan(this.#find(lane, call)));
    } finally {
      this.#beginning--;
      this.#parking.announce();
    }
  }

  /** Asks a person for an input, and waits for it. */
  async ask(lane: Lane, asking: Asking<unknown>): Promise<unknown> {
    await this.#mayBegin(lane, "ask()");
    const course = must(this.#course, "the course of an open run");
    const writer = (step: string) => this.#writerOr(step);
    const asker = { runId: this.runId, run: this.#run, course, parking: this.#parking, writer };
    const asked = this.#unlessControlFlow(lane, () => askPerson(asker, lane, asking));
    this.keep(asked.catch(() => {})); // a run does not end while it asks
    return (await asked).value;
  }

  /** What policy says of a call that a model asks for: decided now, with all calls of its answer, and for good. */
  async decides(lane: Lane, call: Call<never>): Promise<Then> {
    await this.#mayBegin(lane, call.name);
    const emitter = must(this.#course, "the course of an open run").emitterOf(lane, call);
    const deciding = this.#deciding;
    if (emitter === undefined || !deciding) return "allow";
    const decided = await this.#unlessControlFlow(lane, async () => ({
      then: await deciding.foresee(candidateOf(this.#find(lane, call)), emitter),
    }));
    return decided.then;
  }

  async #mayBegin(lane: Lane, name: string): Promise<void> {
    if (!this.#course) await this.#opened.promise;
    if (this.#ended) {
      const why = `run ${this.runId} has ended; await what a run begins before its work returns`;
      throw new HoldfastError("UNHELD_CALL", { name, why });
    }
    await this.#parking.mayBegin(lane);
    if (this.#stopError) return never();
  }

  /**
   * A write beside the ledger, fenced like an append. Whether it still goes in is for the head to say, not for this
   * process: what a framework keeps of a run that has just parked is let in until somebody takes the run over.
   */
  async owned<T>(write: (lease: OwnedRun) => Promise<T | undefined>): Promise<T | undefined> {
    if (!this.#course) await this.#opened.promise;
    if (!this.#owner) return undefined;
    const { means, lease } = this.#owner;
    try {
      const written = await write(lease);
      if (written !== undefined) return written;
      this.stop(await whyNotOwned(means.db, lease));
    } catch (error) {
      // What we say ourselves is about the run. And once that has stopped, nobody waits for this any more.
      if (!this.#stopError && !HoldfastError.is(error)) throw error;
      this.stop(error);
    }
    return never();
  }

  /** Something recorded (a time, an id) that touches nothing outside: taken from the ledger, or made and said now. */
  value<T>(lane: Lane, name: string, make: () => T): T {
    if (!this.#course) {
      const why = "cannot be answered before the run is open: await something first, or use hf.run";
      throw new HoldfastError("INVALID_ARGUMENT", { argument: name, why });
    }
    try {
      const { key, digest } = this.#course.locate(lane, { kind: "step", name, input: undefined });
      const step = this.#run.steps.get(key);
      this.#course.consume(lane, key);
      if (step?.at === "observed" && step.observation.value !== undefined) {
        return decode(step.observation.value) as T;
      }
      const stood = this.#settings.standIn?.standIn.value(key);
      const made = stood === undefined ? make() : (decode(stood) as T);
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

  /** What the ledger says of the run by now. */
  get run(): Readonly<Run> {
    return this.#run;
  }

  /** What it was cancelled by: settles when that is done. Undefined where it was not. */
  get cancelling(): Promise<void> | undefined {
    return this.#cancelling;
  }

  /** Waits for what comes from outside. The run parks, unless it is there already or comes while calls settle. */
  async wait(lane: Lane, wait: Wait): Promise<void> {
    if (!this.#course) await this.#opened.promise;
    await this.#parking.mayBegin(lane);
    if (this.#stopError) return never();
    if (wait.isSettled()) return;
    this.#writerOr(`wait for ${wait.waitingOn}`);
    await this.#parking.wait(lane, wait);
  }

  /** Waits until a time that is on record from the first asking on. A wait that is short is waited out here. */
  async sleep(lane: Lane, milliseconds: number): Promise<void> {
    if (!this.#course) await this.#opened.promise;
    const until = this.value(lane, "sleep", () => new Date(this.time.getTime() + milliseconds));
    const left = () => until.getTime() - this.time.getTime();
    if (left() > SHORT_MS) {
      await this.wait(lane, { waitingOn: "timer", isSettled: () => left() <= SHORT_MS, wakeInMs: left });
    }
    await pause(Math.max(0, left()), undefined, { signal: this.signal }).catch(never);
  }

  /** Parks until another run has ended: its end is told in this run's ledger, by whoever sees it. */
  async awaitRun(lane: Lane, runId: string, depend: () => Promise<void>): Promise<Ended> {
    if (!this.#course) await this.#opened.promise;
    const ended = () => this.#run.ended.get(runId);
    if (!ended() && this.#writer) {
      await depend();
      await this.look();
    }
    await this.wait(lane, { waitingOn: "dependency", isSettled: () => ended() !== undefined });
    return must(ended(), "the end that was waited for");
  }

  /** What was sent to the run since it last received something. Which messages those were is on record. */
  async receive(lane: Lane, wait: boolean): Promise<unknown[]> {
    if (!this.#course) await this.#opened.promise;
    for (;;) {
      await this.look();
      if (this.#stopError) return await never();
      const { upTo, messages } = this.value(lane, RECEIVE, () => received(this.#run));
      if (messages.length > 0 || !wait) return [...messages];
      await this.wait(lane, {
        waitingOn: "input",
        isSettled: () => this.#run.messages.some(({ seq }) => seq > upTo),
      });
    }
  }

  /** Reads what others have written to the run, and acts on it. Where it was taken over, it stops. */
  async look(): Promise<void> {
    try {
      await this.#writer?.look();
    } catch (error) {
      this.stop(error);
    }
  }

  /** The time, by the database's clock as far as this process knows it. */
  get time(): Date {
    return new Date(Date.now() + this.#aheadMs);
  }

  /** Begins no new call, lets those settle that are under way, within a bound, and then stops. */
  async wind(error: unknown, boundMs: number): Promise<void> {
    await this.#parking.wind(boundMs);
    this.stop(error);
  }

  /** Resolves when every call and everything kept has settled. Rejects with what stopped the run. */
  async settled(): Promise<void> {
    for (;;) {
      if (this.#stopError) throw this.#stopError.error;
      const isIdle = this.#open.size === 0 && this.#kept.size === 0 && this.#beginning === 0;
      if (isIdle && this.#parking.isQuiet) return;
      await Promise.race([this.#parking.changed(), this.stopped]);
    }
  }

  /** Has nothing of the run been recorded as a step, in this execution or before? */
  get isEmpty(): boolean {
    return this.#run.steps.size === 0;
  }

  /**
   * Throws where the run's work is not done, whatever its function returned: something kept has failed, or a call was
   * aborted. That call may have happened. One that may be repeated is, when the run is tried again; for any other the run
   * parks here until somebody says what became of it.
   */
  async finishOpen(): Promise<void> {
    if (this.#keptError) throw this.#keptError.error;
    const writer = must(this.#writer, "the owner's writer");
    await writer.flush();
    for (const { key, at } of doubtsOf(this.#run, true)) {
      const why = "the call was aborted, and may have happened";
      if (at === "intended") writer.say({ kind: "doubt", step: key, why });
      await Promise.race([this.#parking.wait(this.root.at, this.#doubt(key)), this.stopped]);
    }
    const steps = [...this.#run.steps.values()];
    const open = steps.find((step) => step.at === "intended" && step.intent.effect !== "read");
    if (open) throw this.#aborted.get(open.key) ?? new Error(`the call ${open.key} has no outcome`);
  }

  /**
   * A value that is no data is rebuilt by doing the work again over the ledger: what the work got over must be on record
   * as well. Throws the error of the model call that the work ended with: nobody got over that.
   */
  async finishUnanswered(): Promise<void> {
    const [last] = [...this.#unanswered.values()].slice(-1);
    if (last) throw last.error;
    for (const unanswered of this.#unanswered.values()) await unanswered?.record();
  }

  /** The run's last entry, and the end of its lease. */
  async end(outcome: Outcome & { status: NonNullable<Append["ends"]> }): Promise<void> {
    this.#ended = true;
    clearTimeout(this.#overtime);
    this.#unlisten();
    await must(this.#writer, "the owner's writer").end(outcome, outcome.status);
  }

  /** Gives the lease back without an end: an inline run waits for a caller. False where it is not ours to give any more. */
  async release(): Promise<boolean> {
    return await this.leave({ waitingOn: this.#run.start?.inline === false ? null : "caller" });
  }

  /** Gives the lease back. False where it is not ours to give any more. */
  async leave(leaving: Leaving): Promise<boolean> {
    clearTimeout(this.#overtime);
    this.#unlisten();
    for (let tries = 0; this.#writer && tries < TRIES; tries++) {
      if (await this.#writer.park(leaving)) return true;
    }
    return false;
  }

  #own(owner: Owner): void {
    const { means, lease } = owner;
    this.#owner = owner;
    const taken = this.#run.takeover?.at.getTime();
    if (taken !== undefined) this.#aheadMs = taken - Date.now();
    this.#writer = new RunWriter(means, lease, this.#run, {
      outside: () => {
        this.#parking.recheck();
        this.#heed();
      },
      error: (error) => this.stop(error),
    });
    const writer = this.#writer;
    this.#spending = spendingOf({
      run: this.#run,
      settings: this.#settings.budget,
      parking: this.#parking,
      db: means.db,
      signal: this.signal,
      flush: () => writer.flush(),
    });
    for (const settled of cutOff(this.#run.tally, lease.epoch)) this.#writer.say(settled);
    if (this.#run.takeover?.after === "retry") this.#setAside(resampledSteps(this.#run));
    // A worker that could not renew in time stops itself first: nothing that it begins now would be its own.
    this.#unlisten = means.heart.onLapse(() => {
      if (this.#isLapsed()) this.stop(lapsed(this.runId));
    });
    const { timeoutMs } = this.#limits;
    if (timeoutMs === undefined) return;
    const error = new HoldfastError("TIMED_OUT", { runId: this.runId, step: undefined, timeoutMs });
    this.#overtime = setTimeout(() => this.stop(error), Math.max(0, timeoutMs - this.#run.workedMs));
  }

  /** Does what the run was told from outside. */
  #heed(): void {
    const { command } = this.#run;
    if (!command || this.#stopError || this.#ended) return;
    if (command.command === "cancel") this.#cancelling ??= this.#cancel(command.by);
    else if (!this.#pausing) void this.#pause();
  }

  /** Aborts what is under way, and gives it a moment to say what came of it. What says nothing is in doubt. */
  async #cancel(by: string): Promise<void> {
    const error = new HoldfastError("CANCELLED", { runId: this.runId, by });
    const winding = this.#parking.wind(CANCEL_SETTLE_MS);
    this.#controller.abort(error);
    await winding;
    for (const { key, at } of doubtsOf(this.#run, true)) {
      const why = "the run was cancelled while the call was under way, and it may have happened";
      if (at === "intended") this.#writer?.say({ kind: "doubt", step: key, why });
    }
    this.stop(error);
  }

  /** Lets what is under way settle, and parks until somebody resumes the run. */
  async #pause(): Promise<void> {
    this.#pausing = true;
    await this.#parking.wait(this.root.at, {
      waitingOn: "caller",
      isSettled: () => this.#run.command?.command !== "pause",
    });
    this.#pausing = false;
  }

  #doubt(key: string): Wait {
    return { waitingOn: "doubt", isSettled: () => this.#isSettled(key) };
  }

  #setAside(steps: readonly string[]): void {
    if (steps.length === 0) return;
    this.#writer?.say({ kind: "note", note: "resampled", steps });
    for (const key of steps) forget(this.#run, key);
  }

  #find<T>(lane: Lane, call: Call<T>): Found<T> {
    const settings = call.kind === "tool" ? settingsOf(this.#settings.tools, call.name) : {};
    const isFree = call.kind === "model" || call.pure;
    const terms = {
      effect: call.effect ?? settings.effect ?? (isFree ? undefined : "once"),
      timeoutMs: call.timeoutMs ?? settings.timeoutMs,
      retry: call.retry ?? settings.retry,
    };
    const business = businessKeyOf(settings, call);
    const located = must(this.#course, "the course of an open run").locate(lane, call, business);
    if (located.drift) this.#drifted(located.key, located.drift);
    return { lane, call, located, terms, settings };
  }

  #drifted(step: string, differs: readonly string[]): void {
    if (this.#settings.drift === "fail") {
      throw new HoldfastError("DRIFTED", { runId: this.runId, step, differs });
    }
    this.#writer?.say({ kind: "note", note: "drift", step, differs });
  }

  /** Does what the plan says, and plans again when what it waited for is settled. */
  async #plan<T>(found: Found<T>): Promise<Begun<T> | Threw> {
    const { lane, call, located, terms } = found;
    const { key, digest } = located;
    const course = must(this.#course, "the course of an open run");
    let cleared: Cleared | undefined;
    let asksStandIn = this.#settings.standIn !== undefined;
    for (;;) {
      // The same call twice at once (a framework that repeats a tool call) is one call: wait for what comes of it.
      if (this.#open.has(key)) {
        await this.#open.get(key);
        continue;
      }
      const planned = plan(this.#run.steps.get(key), digest, terms.effect);
      switch (planned.do) {
        case "return": {
          const value = (planned.output === undefined ? undefined : decode(planned.output)) as T;
          course.consume(lane, key, call.emits?.(value));
          if (!located.drift) located.asked?.kept(); // with the entry that names its parts
          return { at: "recorded", value };
        }
        case "throw":
          course.consume(lane, key);
          return { at: "threw", error: planned.error === undefined ? undefined : decode(planned.error) };
        case "refuse": {
          course.consume(lane, key);
          const { reason } = planned;
          return {
            at: "threw",
            error: new HoldfastError("POLICY_DENIED", { runId: this.runId, step: key, reason }),
          };
        }
        case "diverge":
          throw course.diverged(key, planned.why);
        case "resolve":
          await this.#resolve(found);
          continue;
        case "execute":
          if (asksStandIn) {
            asksStandIn = await this.#standIn(found);
            continue;
          }
          if (cleared || !this.#isGoverned(found)) {
            const begun = await this.#execute(found, cleared);
            if (begun) return begun;
          }
          cleared = await this.#clear(found);
          await this.#parking.mayBegin(lane);
          if (this.#stopError) return never();
          continue;
        default:
          unreachable(planned);
      }
    }
  }

  /** In a replay something answers instead of the world, and what it says is on record. False: the call goes out. */
  async #standIn<T>({ call, located, terms }: Found<T>): Promise<boolean> {
    const { standIn } = this.#settings.standIn ?? {};
    if (!standIn) return false;
    const { key, digest, asked } = located;
    const { kind, name } = call;
    if (kind === "model" && this.set && !call.heedsSet) {
      const why = `cannot set a model or a prompt: the adapter of ${name} does not heed it; change the code instead`;
      throw new HoldfastError("INVALID_ARGUMENT", { argument: "set", why });
    }
    const done = Promise.withResolvers<void>();
    this.#open.set(key, done.promise);
    try {
      const stood = await standIn.answer(located, { kind, name, input: located.input, effect: terms.effect });
      if (!stood) return false;
      const writer = this.#writerOr(key);
      writer.keep(asked?.blobs() ?? []);
      const request = asked ? { request: asked.request } : {};
      writer.say({ kind: "observation", step: key, call: kind, name, digest, ...request, ...stood });
      await writer.flush();
      asked?.kept();
      return true;
    } finally {
      this.#open.delete(key);
      done.resolve();
      this.#parking.announce();
    }
  }

  /** In doubt: the tool may know what became of the call; else a person has to say, and the run waits for that. */
  async #resolve<T>(found: Found<T>): Promise<void> {
    const { key } = found.located;
    // Two calls may be the same step: it is asked about, and doubted, once.
    const under = this.#resolving.get(key) ?? this.#ask(found).finally(() => this.#resolving.delete(key));
    this.#resolving.set(key, under);
    if (!(await under)) await this.#parking.wait(found.lane, this.#doubt(key));
  }

  /** True where it is settled: by the tool, or by a person who was quicker. */
  async #ask<T>({ located, settings }: Found<T>): Promise<boolean> {
    const { key } = located;
    const writer = this.#writerOr(key);
    const { leaseSeconds, redactor } = this.#settings;
    const { means } = must(this.#owner, "the owner of a run that is written");
    let resolution: Resolution | undefined;
    for (let asked = false; ; asked = true) {
      const step = this.#run.steps.get(key);
      if (step?.at !== "intended" && step?.at !== "doubted") return true;
      const { intent } = step;
      const worker = this.#run.takeovers.get(intent.epoch)?.number;
      // Not lost, and in doubt all the same: the call outlived its limit here, and is reckoned from its doubt.
      const since = step.at === "doubted" ? step.doubt.at : intent.at;
      const left = { intent, worker, lost: lostAt(this.#run, intent.epoch) ?? since };
      if (!asked) {
        resolution = await reconcile(means.db, settings, left, {
          leaseSeconds,
          redactor,
          signal: this.signal,
        });
        if (!resolution && step.at === "doubted") return this.#isSettled(key);
      }
      const why = "the call may have gone out, and what came of it was not recorded";
      const fact = resolution ?? ({ kind: "doubt", step: key, why } as const);
      const isOpen = () => this.#run.steps.get(key) === step;
      if (await writer.sayWhile(isOpen, fact)) return fact.kind === "resolution";
    }
  }

  #newDeciding(course: Course, { means }: Owner): Deciding {
    return new Deciding({
      runId: this.runId,
      run: this.#run,
      course,
      writer: must(this.#writer, "the owner's writer"),
      parking: this.#parking,
      settings: this.#settings,
      signal: this.signal,
      usedByAll: (counted) => usedByAll(means.db, counted),
    });
  }

  #isGoverned<T>(found: Found<T>): boolean {
    return this.#deciding?.governs(candidateOf(found)) ?? false;
  }

  /** Two calls may be the same step: it is decided once. */
  async #clear<T>(found: Found<T>): Promise<Cleared | undefined> {
    const { key, emitter } = found.located;
    const deciding = must(this.#deciding, "deciding, in a run that is written");
    const under =
      this.#clearing.get(key) ??
      deciding.clear(candidateOf(found), found.lane, emitter).finally(() => {
        this.#clearing.delete(key);
        this.#parking.announce();
      });
    this.#clearing.set(key, under);
    return await under;
  }

  /** Writes the intent, and lets the call go out once that is durable and the run still ours. Undefined: decide again. */
  async #execute<T>(found: Found<T>, cleared: Cleared = {}): Promise<Begun<T> | undefined> {
    const { lane, call, located, terms, settings } = found;
    const { key, row } = located;
    const writer = this.#writerOr(key);
    const course = must(this.#course, "the course of an open run");
    const mark = { parallel: false };
    if (row && row.open.size > 0 && call.kind === "step" && call.input === undefined) {
      const why = "runs side by side with another step of its name: give each an input, or a name of its own";
      throw new HoldfastError("INVALID_ARGUMENT", { argument: `step("${call.name}")`, why });
    }
    if (row) enterRow(row.open, mark);
    const done = Promise.withResolvers<void>();
    this.#open.set(key, done.promise);
    const close = () => {
      row?.open.delete(mark);
      this.#open.delete(key);
      done.resolve();
      this.#parking.announce();
    };

    const idempotencyKey = idempotencyKeyOf(this.runId, key);
    let intended = false;
    let bill: Bill | undefined;
    try {
      const isNew = !this.#run.steps.has(key);
      course.consume(lane, key);
      if (this.#isLapsed()) throw lapsed(this.runId);
      if (isNew) this.#refuseTooMany();
      if (isNew && terms.effect !== undefined && terms.effect !== "read") {
        course.refuseBesideUnconsumed(lane, call.name, located);
      }
      // A call goes out only once its intent, and all that came before it, is durable.
      const intend = async (holding?: Holding) => {
        const intent = this.#intent(found, cleared, terms.effect ?? "read", idempotencyKey, mark.parallel);
        const short = await this.#intend({ ...intent, ...holding }, isNew ? cleared.counted : undefined);
        intended = short === undefined;
        return short;
      };
      const asked = cleared.changed ? { ...call, input: cleared.changed.input } : call;
      bill = await this.#spending?.take({ call: asked, step: key, lane, declared: settings }, intend);
      if (!intended && terms.effect !== undefined) await intend();
      await this.#mayDispatch();
      if (this.#stopError) throw this.#stopError.error;
    } catch (error) {
      // Intended, but it did not go out, and never will from here: that much is certain, if it can still be written.
      if (intended) writer.say(didNotGoOut(key, call.name, terms.effect));
      close();
      if (error === FULL) return undefined;
      throw error;
    }
    const again = () => this.#unlessControlFlow(lane, () => this.#plan(found));
    const going = { idempotencyKey, terms, bill, mark, close, again, cleared, intended };
    return new Dispatch(this.#host(key), lane, call, located, going);
  }

  /** A step more than the whole run may take stops it, whatever its framework would make of an error. */
  #refuseTooMany(): void {
    const { maxSteps: limit } = this.#limits;
    if (limit === undefined) return;
    const begun = [...this.#open.keys()].filter((key) => !this.#run.steps.has(key));
    if (this.#run.stepsTaken + begun.length <= limit) return;
    throw new HoldfastError("TOO_MANY_STEPS", { runId: this.runId, limit });
  }

  /** Gives back what shared budget is too low for it. Throws FULL where a limit of policy's is used up by now. */
  async #intend(intent: Intent, counted: Cleared["counted"] = []): Promise<Short | undefined> {
    const writer = this.#writerOr(intent.step);
    const isCounted = this.#run.counted.has(intent.step);
    const windows = isCounted ? [] : counted.filter(({ per }) => per !== "run");
    if (windows.length === 0) return await writer.intend(intent);
    // One statement takes from budgets, another adds to counts. Where both are due, the count goes ahead.
    const goesAhead = intent.budgets !== undefined;
    const rules = windows.map(({ rule }) => rule);
    const fact = goesAhead ? ({ kind: "note", note: "counted", step: intent.step, rules } as const) : intent;
    if (!(await writer.sayWithin(fact, windows))) throw FULL;
    return goesAhead ? await writer.intend(intent) : undefined;
  }

  #intent<T>(
    { lane, call, located }: Found<T>,
    { decision, question, counted = [], changed }: Cleared,
    effect: Intent["effect"],
    key: string,
    parallel: boolean,
  ): Intent {
    return {
      kind: "intent",
      step: located.key,
      call: call.kind,
      name: call.name,
      digest: located.digest,
      effect,
      key,
      ...(call.id === undefined ? {} : { id: call.id }),
      ...(parallel ? { parallel } : {}),
      ...besideOf(lane),
      decision,
      question,
      ...(counted.length > 0 ? { counted: counted.map(({ rule }) => rule) } : {}),
      value: encode(changed ? this.#settings.redactor.apply("input", changed.input) : located.input),
    };
  }

  #host(step: string): Host {
    return {
      session: this,
      course: must(this.#course, "the course of an open run"),
      writer: this.#writerOr(step),
      stop: (error) => this.stop(error),
      settings: this.#settings,
      aborted: (error) => void this.#aborted.set(step, error),
      asked: (unanswered) => {
        this.#unanswered.delete(step); // what was asked last stands last
        this.#unanswered.set(step, unanswered);
      },
      unlessStopped: (promise) => this.#unlessStopped(promise),
      mayDispatch: () => this.#mayDispatch(),
      transaction: (idleMs) => must(this.#owner, "the owner of a run that is written").means.db.begin(idleMs),
    };
  }

  /** Just before a call goes out: is the run still ours, as far as this process can know? */
  async #mayDispatch(): Promise<void> {
    const owner = this.#owner;
    if (!owner) return;
    const { heart, db } = owner.means;
    for (;;) {
      const may = heart.mayCall(owner.standing);
      if (may === "yes") return;
      if (may === "lapsed") throw lapsed(this.runId);
      if (may === "unlocked") {
        await heart.changed(100);
        continue;
      }
      // While the lock was gone, somebody who saw that may have taken the run. None can from here on: see CONFIRM.
      const { standing } = heart;
      await confirmLease(db, owner.lease);
      owner.standing = { lapses: owner.standing.lapses, lock: standing.lock };
    }
  }

  #isSettled(key: string): boolean {
    const step = this.#run.steps.get(key);
    return step?.at !== "intended" && step?.at !== "doubted";
  }

  #isLapsed(): boolean {
    const owner = this.#owner;
    return owner !== undefined && owner.means.heart.mayCall(owner.standing) === "lapsed";
  }

  async #park(waitingOn: WaitingOn, wakeInMs: number | undefined, holds: () => boolean): Promise<boolean> {
    if (this.#stopError) return true;
    const writer = must(this.#writer, "the writer of a run that parks");
    if (!(await writer.park({ waitingOn, wakeInMs }, holds))) return false;
    const doubts = doubtsOf(this.#run, false).map((step) => step.key);
    const paused = this.#run.command?.command === "pause";
    const questions = openQuestions(this.#run.questions);
    this.stop(new HoldfastError("RUN_WAITING", { runId: this.runId, waitingOn, questions, doubts, paused }));
    return true;
  }

  /** A finished run is only read: a call that is not on record has no place in it. */
  #writerOr(key: string): RunWriter {
    if (this.#writer) return this.#writer;
    const why = "the run has finished, and this call is not on its record";
    throw new HoldfastError("DIVERGED", { runId: this.runId, step: key, why });
  }

  /**
   * An input that cannot be kept is the caller's affair, and so is what the call threw. Anything else is about the run,
   * not about the call: a framework must not get hold of it, or it would tell the model and go on.
   */
  async #unlessControlFlow<B extends object>(lane: Lane, begin: () => Promise<B | Threw>): Promise<B> {
    let begun: B | Threw;
    try {
      begun = await begin();
    } catch (error) {
      if (HoldfastError.is(error, "NOT_SERIALIZABLE")) throw error;
      if (HoldfastError.is(error, "BUDGET_EXHAUSTED")) await this.#parking.wind(undefined, lane);
      this.stop(error);
      return never();
    }
    if ("error" in begun) throw begun.error;
    return begun;
  }

  /** Settles as the promise does, or never where the run has stopped: nobody is to go on with it. */
  async #unlessStopped<T>(promise: Promise<T>): Promise<T> {
    try {
      return await promise;
    } catch (error) {
      this.stop(error);
      return never();
    }
  }
}

/** Others were quicker: the limit of a rule that the call was within is used up. */
const FULL = Symbol("full");

const candidateOf = <T>({ call, located, terms }: Found<T>): Candidate => ({
  key: located.key,
  digest: located.digest,
  call: call.kind,
  name: call.name,
  effect: terms.effect ?? "read",
  input: call.input,
  check: call.check,
  schema: call.schema,
  says: call.says,
  hosted: call.hosted,
});

/** Of a plain model call there is no step to resolve: only its hold is given back. */
function didNotGoOut(step: string, name: string, effect: Effect | undefined): Resolution | Settled {
  const comment = "the call did not go out";
  return effect === undefined
    ? { kind: "note", note: "settled", step, name, why: comment, cost: 0 }
    : { kind: "resolution", step, happened: false, by: "holdfast", comment };
}

const never = <T>(): Promise<T> => new Promise<T>(() => {});

const lapsed = (runId: string) =>
  new HoldfastError("DATABASE_UNAVAILABLE", {
    why: `the lease on run ${runId} could not be renewed in time`,
  });
