import { type Asking, askedAs } from "../asking.ts";
import { decode } from "../codec.ts";
import { Course, type Located } from "../course.ts";
import { recordedDecision } from "../deciding.ts";
import { HoldfastError } from "../errors.ts";
import { toPlain } from "../json.ts";
import { Lane } from "../lane.ts";
import type { Ended, Entry } from "../ledger/entry.ts";
import { parseKey } from "../ledger/key.ts";
import { RECEIVE, type Received } from "../ledger/received.ts";
import { type Run, replay, type Step } from "../ledger/replay.ts";
import type { Then } from "../policy/decision.ts";
import { modelAsks } from "../recorded-run.ts";
import { type Execution, Scope } from "../scope.ts";
import { businessKeyOf, type RunSettings, settingsOf } from "../settings.ts";
import type { Begun, Call } from "../step/call.ts";
import { plan } from "../step/plan.ts";

/** What a trace needs to know of how the run was recorded: what is taken out of it, and which tools have business keys. */
export interface TraceSettings extends Pick<RunSettings, "tools" | "redactor"> {
  /** Told of every model call that is answered: what it would be on record as now. */
  readonly onAsked?: (located: Located) => void;
}

/** A place at which the code does not do what is on record. Values are plain: see `toPlain`. */
export interface Departing {
  readonly at: "drift" | "diverged" | "past the end";
  /** The step, or the lane where none can be told. */
  readonly step: string;
  readonly why: string;
  /** What the code asks there; undefined where it asks nothing. */
  readonly asks?: unknown;
  /** The model call as it would be on record. */
  readonly located?: Located;
}

/**
 * An execution that can only answer from the record. It has no writer, no lease and no way to dispatch a call: what is not
 * on record is never made, whatever the agent tries. It stops there, as a run that parks does: the call never settles.
 */
export class Tracer implements Execution {
  readonly runId: string;
  readonly root: Scope;
  readonly run: Run;
  readonly parent = undefined;
  /** Where the code leaves the record, in order. After a drift it goes on with the record; after anything else not. */
  readonly departings: Departing[] = [];
  /** Steps that were answered. */
  readonly served = new Set<string>();
  readonly trace: NonNullable<Execution["trace"]>;
  /** Resolves when the code has left the record for good. */
  readonly stopped: Promise<"stopped">;
  readonly #settings: TraceSettings;
  readonly #course: Course;
  readonly #controller = new AbortController();
  readonly #kept = new Set<PromiseLike<unknown>>();
  #keptError: { error: unknown } | undefined;
  #hasLeft = false;
  #stop: (how: "stopped") => void = () => {};

  constructor(
    runId: string,
    entries: readonly Entry[],
    settings: TraceSettings,
    child?: <T>(id: string, work: () => T | PromiseLike<T>) => Promise<T>,
  ) {
    this.runId = runId;
    this.run = replay(entries);
    this.root = new Scope(this, new Lane("", undefined, ""));
    this.#settings = settings;
    this.#course = new Course(runId, this.run, settings.redactor);
    this.stopped = new Promise((resolve) => {
      this.#stop = resolve;
    });
    this.trace = {
      refuse: (what) => this.#refuse(what),
      child: async (id, work) =>
        child
          ? await child(id, work)
          : this.#refuse(`the run ${id} is begun in it, and is not on its record`),
    };
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  get time(): Date {
    return this.run.start?.at ?? new Date(0);
  }

  async begin<T>(lane: Lane, call: Call<T>): Promise<Begun<T>> {
    if (this.#hasLeft) return never();
    let located: Located;
    try {
      located = this.#locate(lane, call);
    } catch (error) {
      if (HoldfastError.is(error, "NOT_SERIALIZABLE")) throw error; // as it would be of the run itself
      const isDiverged = HoldfastError.is(error, "DIVERGED");
      const step = isDiverged ? error.details.step : (lane.path ?? lane.name);
      const why = isDiverged ? error.details.why : String(error);
      return this.#depart({ at: "diverged", step, why, asks: this.#asks(call) });
    }
    return this.#answer(lane, call, located);
  }

  value<T>(lane: Lane, name: string): T {
    const located = this.#locate(lane, { kind: "step", name, input: undefined });
    const step = this.run.steps.get(located.key);
    if (step?.at !== "observed" || step.observation.value === undefined) {
      void this.#depart(this.#missing(located, `${name}()`));
      throw new HoldfastError("DIVERGED", {
        runId: this.runId,
        step: located.key,
        why: "it is not on record",
      });
    }
    this.#serve(lane, located);
    return decode(step.observation.value) as T;
  }

  /** A question that is on record was answered. */
  async ask(lane: Lane, { question }: Asking<unknown>): Promise<unknown> {
    const begun = await this.begin(lane, askedAs(question));
    return begun.at === "recorded" ? begun.value : never();
  }

  /** The end of another run is answered from the record. */
  async awaitRun(lane: Lane, runId: string): Promise<Ended> {
    const ended = this.run.ended.get(runId);
    if (ended) return ended;
    const step = lane.path ?? lane.name;
    return await this.#depart({
      at: "diverged",
      step,
      why: `it waits for run ${runId}, whose end it never saw`,
    });
  }

  /** What was received, and how often nothing was. */
  async receive(lane: Lane, wait: boolean): Promise<unknown[]> {
    for (;;) {
      const { messages } = this.value<Received>(lane, RECEIVE);
      if (messages.length > 0 || !wait) return [...messages];
    }
  }

  async decides(lane: Lane, call: Call<never>): Promise<Then> {
    if (this.#course.emitterOf(lane, call) === undefined) return "allow";
    return recordedDecision(this.run, this.#locate(lane, call).key) ?? "allow";
  }

  /** A time that is on record has passed. */
  async sleep(lane: Lane): Promise<void> {
    this.value(lane, "sleep");
  }

  /** Nothing is written, beside the ledger either. */
  async owned(): Promise<undefined> {}

  keep(promise: PromiseLike<unknown>): void {
    this.#kept.add(promise);
    const settled = () => void this.#kept.delete(promise);
    promise.then(settled, (error: unknown) => {
      this.#keptError ??= { error };
      settled();
    });
  }

  /** Answers that were set aside are not on record any more: there is nothing to set aside again. */
  async resample(): Promise<void> {}

  /** Resolves when all that is kept has settled. Rejects where something of it did. */
  async settled(): Promise<void> {
    while (this.#kept.size > 0) await Promise.allSettled(this.#kept);
    if (this.#keptError) throw this.#keptError.error;
  }

  #answer<T>(lane: Lane, call: Call<T>, located: Located): Promise<Begun<T>> {
    const { key, digest, drift } = located;
    if (drift) {
      const why = `the model is asked something else: ${drift.join(", ")} changed`;
      this.departings.push({ at: "drift", step: key, why, asks: this.#asks(call), located });
    }
    const planned = plan(this.run.steps.get(key), digest, undefined);
    switch (planned.do) {
      case "return": {
        const value = (planned.output === undefined ? undefined : decode(planned.output)) as T;
        this.#serve(lane, located, call.emits?.(value));
        return Promise.resolve({ at: "recorded", value });
      }
      case "throw":
        this.#serve(lane, located);
        return Promise.reject(planned.error === undefined ? undefined : decode(planned.error));
      case "refuse": {
        this.#serve(lane, located);
        const { reason } = planned;
        return Promise.reject(new HoldfastError("POLICY_DENIED", { runId: this.runId, step: key, reason }));
      }
      case "diverge":
        return this.#depart({ at: "diverged", step: key, why: planned.why, asks: this.#asks(call, located) });
      case "execute":
      case "resolve":
        return this.#depart(this.#missing(located, call.name, this.#asks(call, located)));
    }
  }

  #locate<T>(lane: Lane, call: Call<T>): Located {
    const settings = call.kind === "tool" ? settingsOf(this.#settings.tools, call.name) : {};
    return this.#course.locate(lane, call, businessKeyOf(settings, call));
  }

  /** What is asked, as it would be recorded. */
  #asks({ kind, name, input }: Call<never>, located?: Located): unknown {
    const { redactor } = this.#settings;
    if (kind === "model") return modelAsks(name, redactor.apply("request", input));
    return toPlain(located ? located.input : redactor.apply("input", input));
  }

  #serve(lane: Lane, located: Located, emitted?: Parameters<Course["consume"]>[2]): void {
    this.served.add(located.key);
    if (located.asked) this.#settings.onAsked?.(located);
    this.#course.consume(lane, located.key, emitted);
  }

  /** A call without an outcome on record. Where all that is on record was answered, the record has just come to its end. */
  #missing({ key }: Located, name: string, asks?: unknown): Departing {
    const next = unservedIn(this.run, this.served).find((step) => step.key !== key);
    const open = this.run.steps.has(key);
    if (!next && this.run.outcome?.status !== "succeeded") {
      const why = open ? `what came of ${name} is not on record` : "the record ends here";
      return { at: "past the end", step: key, why, asks };
    }
    const goesOn = next ? `; the record goes on with ${next.key}` : "; on record the run ends here";
    return { at: "diverged", step: key, why: `${name} is not on record${goesOn}`, asks };
  }

  #refuse(what: string): never {
    const why = `a trace asks nothing but the record: ${what}`;
    void this.#depart({ at: "diverged", step: "", why });
    throw new HoldfastError("DIVERGED", { runId: this.runId, step: "", why });
  }

  /** Nothing goes on from here. Signals are aborted after whoever waits for the trace has been told. */
  #depart(departing: Departing): Promise<never> {
    if (!this.#hasLeft) {
      this.#hasLeft = true;
      this.departings.push(departing);
      this.#stop("stopped");
      setImmediate(() => this.#controller.abort(new Error(departing.why)));
    }
    return never();
  }
}

/** Recorded steps that the code did not come to, without those inside the body of another: no body is entered. */
export function unservedIn(run: Run, served: ReadonlySet<string>): Step[] {
  const settled = [...run.steps.values()].filter(
    ({ at }) => at === "observed" || at === "done" || at === "refused",
  );
  return settled.filter(({ key }) => !served.has(key) && !isInBody(run, key));
}

function isInBody(run: Run, key: string): boolean {
  for (let at = key.indexOf("/"); at >= 0; at = key.indexOf("/", at + 1)) {
    const path = key.slice(0, at);
    const step = run.steps.get(path);
    // A tool call's key goes on from the model call that asked for it: that is no body.
    if (step && !isModel(step)) return true;
  }
  return false;
}

const isModel = (step: Step): boolean => parseKey(step.key).place?.name === "model";

const never = <T>(): Promise<T> => new Promise<T>(() => {});
