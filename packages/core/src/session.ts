import { setTimeout as pause } from "node:timers/promises";
import { type Asking, askedAs, askPerson } from "./asking.ts";
import { cutOff } from "./budget/tally.ts";
import { Calls, type CallsOf, type Threw } from "./calls.ts";
import { decode, encode } from "./codec.ts";
import { Course } from "./course.ts";
import type { Unanswered } from "./dispatch.ts";
import { HoldfastError } from "./errors.ts";
import type { Limits } from "./going-out.ts";
import { Lane } from "./lane.ts";
import { openQuestions } from "./ledger/asked.ts";
import type { Ended, Entry, Outcome } from "./ledger/entry.ts";
import { RECEIVE, type Received, received as receivedBy } from "./ledger/received.ts";
import { doubtsOf, forget, type Run, replay, type Step } from "./ledger/replay.ts";
import { resampledSteps } from "./ledger/resample.ts";
import { must } from "./must.ts";
import { isLapsed, lapsed, type Owner } from "./owner.ts";
import { never, Parking, type Wait } from "./parking.ts";
import type { Then } from "./policy/decision.ts";
import type { OwnedRun } from "./port.ts";
import type { WaitingOn } from "./run/status.ts";
import { RunWriter } from "./run-writer.ts";
import { currentScope, type Execution, Scope } from "./scope.ts";
import type { RunSettings } from "./settings.ts";
import { type Spending, spendingOf } from "./spending.ts";
import type { Begun, Call } from "./step/call.ts";
import { type Leaving, whyNotOwned } from "./store/lease.ts";
import type { Append } from "./store/ledger.ts";
import type { RunTold } from "./telling.ts";

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
  /** Of these, the steps whose outcome is said and on its way to the ledger. */
  readonly #said = new Set<string>();
  readonly #kept = new Set<PromiseLike<unknown>>();
  /** Calls that are on their way: not yet found on record, decided, or open. */
  #beginning = 0;
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
  #calls: Calls | undefined;
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
    this.#calls = new Calls(this.#caller(this.#course));
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
    const refuse = (what: string): never => {
      const why = `a replay writes its own run, and nothing else, and ${what}`;
      throw new HoldfastError("COMMAND_NOT_ALLOWED", { runId: this.runId, command: "reach beyond", why });
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
    const isLost = HoldfastError.is(error, "FENCED") || (this.#owner !== undefined && isLapsed(this.#owner));
    if (isLost && !this.#ended) this.#tell({ at: "lost", error });
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
      return await must(this.#calls, "the calls of an open run").begin(lane, call);
    } finally {
      this.#beginning--;
      this.#parking.announce();
    }
  }

  /** Asks a person for an input, and waits for it. */
  async ask(lane: Lane, asking: Asking<unknown>): Promise<unknown> {
    if (this.#settings.standIn) return await this.#askRecord(lane, asking);
    await this.#mayBegin(lane, "ask()");
    const course = must(this.#course, "the course of an open run");
    const writer = (step: string) => this.#writerOr(step);
    const asker = { runId: this.runId, run: this.#run, course, parking: this.#parking, writer };
    const asked = this.#unlessControlFlow(lane, () => askPerson(asker, lane, asking));
    this.keep(asked.catch(() => {})); // a run does not end while it asks
    return (await asked).value;
  }

  /** In a replay nobody is asked: the record says what was answered, or a stub. */
  async #askRecord(lane: Lane, { question }: Asking<unknown>): Promise<unknown> {
    const begun = await this.begin(lane, askedAs(question));
    if (begun.at === "recorded") return begun.value;
    const why = "nobody is asked in a replay";
    const refused = new HoldfastError("COMMAND_NOT_ALLOWED", { runId: this.runId, command: "ask in", why });
    return await begun.carryOut(() => Promise.reject(refused));
  }

  /** What policy says of a call that a model asks for: decided now, with all calls of its answer, and for good. */
  async decides(lane: Lane, call: Call<never>): Promise<Then> {
    await this.#mayBegin(lane, call.name);
    return await must(this.#calls, "the calls of an open run").foresee(lane, call);
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
    if (this.#settings.standIn) return; // nobody waits in a replay
    const left = () => until.getTime() - this.time.getTime();
    if (left() > SHORT_MS) {
      await this.wait(lane, { waitingOn: "timer", isSettled: () => left() <= SHORT_MS, wakeInMs: left });
    }
    await pause(Math.max(0, left()), undefined, { signal: this.signal }).catch(never);
  }

  /** Parks until another run has ended: its end is told in this run's ledger, by whoever sees it. */
  async awaitRun(lane: Lane, runId: string, depend: () => Promise<void>): Promise<Ended> {
    if (!this.#course) await this.#opened.promise;
    const ended = () => this.#run.ended.get(runId) ?? this.#settings.standIn?.standIn.ended(runId);
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
      const { upTo, messages } = this.value(lane, RECEIVE, () => this.#received(wait));
      if (messages.length > 0 || !wait) return [...messages];
      if (this.#settings.standIn) continue; // what it was woken by is on record, or refused
      await this.wait(lane, {
        waitingOn: "input",
        isSettled: () => this.#run.messages.some(({ seq }) => seq > upTo),
      });
    }
  }

  #received(wait: boolean): Received {
    const received = receivedBy(this.#run);
    if (!wait || received.messages.length > 0 || !this.#settings.standIn) return received;
    const why = "the record has no message more, and nobody sends one to a replay";
    throw new HoldfastError("COMMAND_NOT_ALLOWED", {
      runId: this.runId,
      command: "wait for a message in",
      why,
    });
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

  /**
   * Resolves when every call and everything kept has settled: what came of them is said, and goes out before the run's end or
   * with it. Rejects with what stopped the run.
   */
  async settled(): Promise<void> {
    for (;;) {
      if (this.#stopError) throw this.#stopError.error;
      const isIdle = this.#open.size === this.#said.size && this.#kept.size === 0 && this.#beginning === 0;
      if (isIdle && this.#parking.isQuiet) return;
      await Promise.race([this.#parking.changed(), this.stopped]);
    }
  }

  /** Has nothing of the run been recorded as a step, in this execution or before? */
  get isEmpty(): boolean {
    return this.#run.steps.size === 0 && this.#said.size === 0;
  }

  /**
   * Throws where the run's work is not done, whatever its function returned: something kept has failed, or a call was
   * aborted. That call may have happened. One that may be repeated is, when the run is tried again; for any other the run
   * parks here until somebody says what became of it.
   */
  async finishOpen(): Promise<void> {
    if (this.#keptError) throw this.#keptError.error;
    const writer = must(this.#writer, "the owner's writer");
    for (const { key, at } of this.#unsaid(doubtsOf(this.#run, true))) {
      const why = "the call was aborted, and may have happened";
      if (at === "intended") writer.say({ kind: "doubt", step: key, why });
      await Promise.race([this.#parking.wait(this.root.at, this.#doubt(key)), this.stopped]);
    }
    const open = this.#unsaid([...this.#run.steps.values()]).find(isOpen);
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
      if (!(await this.#writer.park(leaving))) continue;
      const why = "failing" in leaving ? { error: leaving.failing.error } : { waitingOn: leaving.waitingOn };
      this.#tell({ at: "leaves", ...why });
      return true;
    }
    return false;
  }

  /** Tells hooks and the log what has become of the run here. */
  #tell(told: Pick<RunTold, "at" | "after" | "waitingOn" | "error">): void {
    const epoch = this.#owner?.lease.epoch;
    if (epoch === undefined) return;
    this.#settings.telling?.run({ runId: this.runId, agent: this.#run.start?.agent, epoch, ...told });
  }

  #own(owner: Owner): void {
    const { means, lease } = owner;
    this.#owner = owner;
    this.#tell({ at: "begins", after: this.#run.takeover?.after });
    const { telling } = this.#settings;
    const taken = this.#run.takeover?.at.getTime();
    if (taken !== undefined) this.#aheadMs = taken - Date.now();
    this.#writer = new RunWriter(means, lease, this.#run, {
      outside: (entries) => {
        // Of what comes that way, the owner has only said its doubts.
        for (const entry of entries) if (entry.kind === "doubt") telling?.entry(this.#run, entry);
        this.#parking.recheck();
        this.#heed();
      },
      error: (error) => this.stop(error),
      landed: telling && ((entry) => telling.entry(this.#run, entry)),
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
      if (isLapsed(owner)) this.stop(lapsed(this.runId));
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

  #caller(course: Course): CallsOf {
    const stopError = () => this.#stopError;
    return {
      session: this,
      run: this.#run,
      course,
      parking: this.#parking,
      settings: this.#settings,
      limits: this.#limits,
      owner: this.#owner,
      spending: this.#spending,
      open: this.#open,
      said: this.#said,
      aborted: this.#aborted,
      unanswered: this.#unanswered,
      get stopError() {
        return stopError();
      },
      writer: (step) => this.#writerOr(step),
      drifted: (drift) => this.#writer?.say(drift),
      setAside: (steps) => this.#setAside(steps),
      isSettled: (step) => this.#isSettled(step),
      doubt: (step) => this.#doubt(step),
      stop: (error) => this.stop(error),
      unlessStopped: (promise) => this.#unlessStopped(promise),
      unlessControlFlow: (lane, begin) => this.#unlessControlFlow(lane, begin),
    };
  }

  #doubt(key: string): Wait {
    return { waitingOn: "doubt", isSettled: () => this.#isSettled(key) };
  }

  /** Those of which nothing is on its way to the ledger that says what came of them. */
  #unsaid(steps: readonly Step[]): Step[] {
    return steps.filter(({ key }) => !this.#said.has(key));
  }

  #setAside(steps: readonly string[]): void {
    if (steps.length === 0) return;
    this.#writer?.say({ kind: "note", note: "resampled", steps });
    for (const key of steps) forget(this.#run, key);
  }

  #isSettled(key: string): boolean {
    const step = this.#run.steps.get(key);
    return step?.at !== "intended" && step?.at !== "doubted";
  }

  async #park(waitingOn: WaitingOn, wakeInMs: number | undefined, holds: () => boolean): Promise<boolean> {
    if (this.#stopError) return true;
    const writer = must(this.#writer, "the writer of a run that parks");
    if (!(await writer.park({ waitingOn, wakeInMs }, holds))) return false;
    this.#tell({ at: "parks", waitingOn });
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

const isOpen = (step: Step): boolean => step.at === "intended" && step.intent.effect !== "read";
