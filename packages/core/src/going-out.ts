import { encode } from "./codec.ts";
import type { Course, Located } from "./course.ts";
import type { Cleared } from "./deciding.ts";
import { besideOf, Dispatch, type Host, type Terms, type Unanswered } from "./dispatch.ts";
import { HoldfastError } from "./errors.ts";
import { enterRow, type Lane } from "./lane.ts";
import type { Counting, Effect, Intent, Resolution, Settled } from "./ledger/entry.ts";
import { idempotencyKeyOf } from "./ledger/key.ts";
import type { Run } from "./ledger/replay.ts";
import { must } from "./must.ts";
import { isLapsed, lapsed, mayDispatch, type Owner } from "./owner.ts";
import { never, type Parking } from "./parking.ts";
import type { Counted } from "./policy/evaluate.ts";
import type { RunWriter } from "./run-writer.ts";
import type { Execution } from "./scope.ts";
import type { RunSettings, ToolSettings } from "./settings.ts";
import type { Bill, Holding, Spending } from "./spending.ts";
import type { Begun, Call } from "./step/call.ts";

/** A call that was found, on what terms it would go out. */
export interface Found<T> {
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

/** What a call that may go out needs of its session. */
export interface Caller {
  readonly session: Execution;
  readonly run: Run;
  readonly course: Course;
  readonly parking: Parking;
  readonly settings: RunSettings;
  readonly limits: Limits;
  /** Undefined: the run has finished, and is only read. */
  readonly owner: Owner | undefined;
  readonly spending: Spending | undefined;
  /** Calls that are under way, by step: each promise resolves when the step is at rest. */
  readonly open: Map<string, Promise<unknown>>;
  /** Of these, the steps whose outcome is said and on its way to the ledger. */
  readonly said: Set<string>;
  /** What calls were aborted with. */
  readonly aborted: Map<string, unknown>;
  /** What models were asked, in order of the last try, and how it failed where it did. */
  readonly unanswered: Map<string, Unanswered | undefined>;
  readonly stopError: { readonly error: unknown } | undefined;
  /** Throws DIVERGED in a run that has finished: this step has no place in it. */
  writer(step: string): RunWriter;
  stop(error: unknown): void;
  unlessStopped<T>(promise: Promise<T>): Promise<T>;
}

/** The way of a call from its plan to the world: its intent is durable, it is paid for, and the run is still ours. */
export class GoingOut {
  readonly #of: Caller;

  constructor(of: Caller) {
    this.#of = of;
  }

  /** Writes the intent, and lets the call go out once that is durable and the run still ours. Undefined: decide again. */
  async execute<T>(
    found: Found<T>,
    again: () => Promise<Begun<T>>,
    cleared: Cleared = {},
  ): Promise<Begun<T> | undefined> {
    const { lane, call, located, terms, settings } = found;
    const { key, row } = located;
    const writer = this.#of.writer(key);
    const course = this.#of.course;
    const mark = { parallel: false };
    if (row && row.open.size > 0 && call.kind === "step" && call.input === undefined) {
      const why = "runs side by side with another step of its name: give each an input, or a name of its own";
      throw new HoldfastError("INVALID_ARGUMENT", { argument: `step("${call.name}")`, why });
    }
    if (row) enterRow(row.open, mark);
    const done = Promise.withResolvers<void>();
    this.#of.open.set(key, done.promise);
    const close = () => {
      row?.open.delete(mark);
      this.#of.open.delete(key);
      this.#of.said.delete(key);
      done.resolve();
      this.#of.parking.announce();
    };

    const before = this.#of.run.steps.get(key);
    const mayHaveHappened = before?.at === "intended"; // by an intent that was left open
    const idempotencyKey = idempotencyKeyOf(this.#of.session.runId, key);
    let intended = false;
    let bill: Bill | undefined;
    try {
      const isNew = !before;
      course.consume(lane, key);
      if (this.#of.owner && isLapsed(this.#of.owner)) throw lapsed(this.#of.session.runId);
      if (isNew) this.#refuseTooMany();
      if (isNew && terms.effect !== undefined && terms.effect !== "read") {
        course.refuseBesideUnconsumed(lane, call.name, located);
      }
      let uncounted = isNew ? windowsOf(cleared) : [];
      // A call goes out only once its intent, and all that came before it, is durable.
      const intend = async (holding?: Holding) => {
        const effect = terms.effect ?? "read";
        const intent = {
          ...this.#intent(found, cleared, effect, idempotencyKey, mark.parallel),
          ...holding,
        };
        if (intent.budgets && uncounted.length > 0) {
          // One statement takes from budgets, another adds to counts: the count goes ahead.
          const rules = uncounted.map(({ rule }) => rule);
          await this.#count({ kind: "note", note: "counted", step: key, rules }, uncounted);
          uncounted = [];
        }
        const short = await (uncounted.length > 0 ? this.#count(intent, uncounted) : writer.intend(intent));
        intended = short === undefined;
        return short;
      };
      const asked = cleared.changed ? { ...call, input: cleared.changed.input } : call;
      bill = await this.#of.spending?.take({ call: asked, step: key, lane, declared: settings }, intend);
      if (!intended && terms.effect !== undefined) await intend();
      await this.#mayDispatch();
      if (this.#of.stopError) throw this.#of.stopError.error;
      if (this.#of.session.signal.aborted) throw CANCELLING;
    } catch (error) {
      // Intended, but it did not go out, and never will from here: that much is certain, if it can still be written.
      if (intended && !mayHaveHappened) writer.say(didNotGoOut(key, call.name, terms.effect));
      close();
      if (error === CANCELLING) return await never();
      if (error === FULL) return undefined;
      throw error;
    }
    const going = { idempotencyKey, terms, bill, mark, close, again, cleared, intended, mayHaveHappened };
    return new Dispatch(this.#host(key), lane, call, located, going);
  }

  /** A step more than the whole run may take stops it, whatever its framework would make of an error. */
  #refuseTooMany(): void {
    const { maxSteps: limit } = this.#of.limits;
    if (limit === undefined) return;
    const begun = [...this.#of.open.keys()].filter((key) => !this.#of.run.steps.has(key));
    if (this.#of.run.stepsTaken + begun.length <= limit) return;
    throw new HoldfastError("TOO_MANY_STEPS", { runId: this.#of.session.runId, limit });
  }

  /** Writes what adds to counts. Throws FULL where the limit of one is used up by now. */
  async #count(fact: Intent | Counting, windows: readonly Counted[]): Promise<undefined> {
    if (!(await this.#of.writer(fact.step).sayWithin(fact, windows))) throw FULL;
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
      value: encode(changed ? this.#of.settings.redactor.apply("input", changed.input) : located.input),
    };
  }

  #host(step: string): Host {
    return {
      session: this.#of.session,
      course: this.#of.course,
      writer: this.#of.writer(step),
      stop: (error) => this.#of.stop(error),
      settings: this.#of.settings,
      aborted: (error) => void this.#of.aborted.set(step, error),
      said: () => {
        this.#of.said.add(step);
        this.#of.parking.announce();
      },
      asked: (unanswered) => {
        this.#of.unanswered.delete(step); // what was asked last stands last
        this.#of.unanswered.set(step, unanswered);
      },
      unlessStopped: (promise) => this.#of.unlessStopped(promise),
      mayDispatch: () => this.#mayDispatch(),
      transaction: (idleMs) =>
        must(this.#of.owner, "the owner of a run that is written").means.db.begin(idleMs),
    };
  }

  async #mayDispatch(): Promise<void> {
    if (this.#of.owner) await mayDispatch(this.#of.owner);
  }
}

/** The counts over several runs that a call still adds to. */
const windowsOf = ({ counted = [] }: Cleared): Counted[] =>
  counted.filter(({ per, isCounted }) => per !== "run" && !isCounted);

/** Others were quicker: the limit of a rule that the call was within is used up. */
const FULL = Symbol("full");

/** The ledger has a cancel by now: the run still lets settle what is under way, and stops then. */
const CANCELLING = Symbol("cancelling");

/** Of a plain model call there is no step to resolve: only its hold is given back. */
function didNotGoOut(step: string, name: string, effect: Effect | undefined): Resolution | Settled {
  const comment = "the call did not go out";
  return effect === undefined
    ? { kind: "note", note: "settled", step, name, why: comment, cost: 0 }
    : { kind: "resolution", step, happened: false, by: "holdfast", comment };
}
