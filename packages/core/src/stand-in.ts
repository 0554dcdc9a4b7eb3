import { type Encoded, encode, encodeError } from "./codec.ts";
import type { Located } from "./course.ts";
import { HoldfastError } from "./errors.ts";
import type { CallKind, Effect, Ended, Entry, Mocked, Refusal } from "./ledger/entry.ts";
import { parseKey } from "./ledger/key.ts";
import type { Run, Step } from "./ledger/replay.ts";
import type { Redactor } from "./redact.ts";

/** What answers in place of a tool whose call is not on record: what it returns is what came of the call. */
export type Stub = (input: never) => unknown;

export interface StandInOptions {
  readonly runId: string;
  /** `mock-tools`: models are asked. `counterfactual`: models that are asked the same answer what is on record. */
  readonly mode: "mock-tools" | "counterfactual";
  /** What steps of the record came to, in this replay. */
  readonly steps: Readonly<Record<string, { readonly output: unknown }>>;
  readonly stubs: Readonly<Record<string, Stub>>;
  /** Another model is set: it is asked everything, whatever it is called. */
  readonly otherModel: boolean;
  /** Tools that are called, each by its whole name. */
  readonly live: readonly string[];
  readonly redactor: Redactor;
}

/** What came of a call that did not go out. */
export interface StoodIn {
  readonly mocked: Mocked;
  readonly ok: boolean;
  readonly value: Encoded | undefined;
}

/** The call was refused on record, and is refused again. */
export interface RefusedAgain {
  readonly refusal: Entry<Refusal>;
}

interface Standing {
  readonly kind: CallKind;
  readonly name: string;
  readonly input: unknown;
  readonly effect: Effect | undefined;
}

/**
 * Answers the calls of a replay from the record of another run. A record answers one call, except that of a read: asked
 * again, it says the same. What is not on record does not go out, unless it cannot do harm or was named.
 */
export class StandIn {
  readonly #record: Run;
  readonly #options: StandInOptions;
  /** Records that have answered. */
  readonly #used: Set<string>;

  /** `prefix`: what the replay begins with is used already. */
  constructor(record: Run, prefix: Run, options: StandInOptions) {
    this.#record = record;
    this.#options = options;
    this.#used = new Set(prefix.steps.keys());
  }

  /** What came of the call. Undefined: it goes out. */
  async answer({ key, digest }: Located, call: Standing): Promise<StoodIn | RefusedAgain | undefined> {
    if (call.kind === "model") return this.#model(key, digest);
    if (this.#options.live.includes(call.name)) return undefined;
    const step = this.#find(key, digest, call);
    if (step?.at === "refused" && !this.#set(step.key)) return { refusal: step.refusal };
    if (step) return this.#from(step);
    const stub = this.#options.stubs[call.name];
    if (stub) return await this.#stubbed(stub, call.input);
    if (this.#options.mode === "counterfactual" && call.effect === "read") return undefined;
    const { runId } = this.#options;
    const why = "a replay calls no tool whose call is not on record; give it a stub, or name it under live";
    const refused = new HoldfastError("COMMAND_NOT_ALLOWED", { runId, command: `call ${call.name} in`, why });
    return { mocked: "refused", ok: false, value: encodeError(refused) };
  }

  /** The end of another run that this one waited for. */
  ended(runId: string): Ended | undefined {
    return this.#record.ended.get(runId);
  }

  /** A time or an id at its place on record. */
  value(key: string): Encoded | undefined {
    const step = this.#record.steps.get(key);
    return step?.at === "observed" ? step.observation.value : undefined;
  }

  #model(key: string, digest: string): StoodIn | undefined {
    const { mode, otherModel } = this.#options;
    const set = this.#set(key);
    if (set) return set;
    if (mode === "mock-tools" || otherModel) return undefined;
    const { lane } = parseKey(key);
    const fits = (step: Step) =>
      step.at === "observed" &&
      step.observation.call === "model" &&
      step.digest === digest &&
      parseKey(step.key).lane === lane;
    const step = this.#first(key, fits);
    return step && this.#from(step);
  }

  #find(key: string, digest: string, { name, effect }: Standing): Step | undefined {
    const fits = (step: Step) =>
      (step.at === "observed" || step.at === "done" || step.at === "refused") &&
      step.name === name &&
      step.digest === digest;
    const step = this.#first(key, fits);
    if (step || effect !== "read") return step;
    return [...this.#record.steps.values()].findLast(fits);
  }

  /** The record at this very place if it fits, else the first that does and has not answered. */
  #first(key: string, fits: (step: Step) => boolean): Step | undefined {
    const unused = [...this.#record.steps.values()].filter((step) => !this.#used.has(step.key) && fits(step));
    const step = unused.find((step) => step.key === key) ?? unused[0];
    if (step) this.#used.add(step.key);
    return step;
  }

  #set(key: string): StoodIn | undefined {
    const { steps } = this.#options;
    const set = Object.hasOwn(steps, key) ? steps[key] : undefined;
    return set && { mocked: "set", ok: true, value: this.#output(set.output) };
  }

  #from(step: Step): StoodIn {
    const set = this.#set(step.key);
    if (set) return set;
    if (step.at === "done") return { mocked: "record", ok: true, value: step.resolution.value };
    const { ok, value } = (step as Extract<Step, { at: "observed" }>).observation;
    return { mocked: "record", ok, value };
  }

  async #stubbed(stub: Stub, input: unknown): Promise<StoodIn> {
    try {
      return { mocked: "stub", ok: true, value: this.#output(await stub(input as never)) };
    } catch (error) {
      return { mocked: "stub", ok: false, value: encodeError(this.#options.redactor.apply("error", error)) };
    }
  }

  #output(output: unknown): Encoded {
    return encode(this.#options.redactor.apply("output", output));
  }
}
