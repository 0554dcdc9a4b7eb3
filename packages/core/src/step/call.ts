import type { AskedModel } from "../budget/worst-case.ts";
import type { CallKind, Effect, Usage } from "../ledger/entry.ts";
import type { Then } from "../policy/decision.ts";
import type { Retry } from "../retry.ts";

/** Arguments that the tool takes, as it is to be given them; or why it does not take them. */
export type Checked =
  | { readonly ok: true; readonly input: unknown }
  | { readonly ok: false; readonly why: string };

/** What an adapter knows of a tool, for policy to decide a call of it. */
export interface Governed {
  /** Checks arguments against the tool's schema. Absent: the tool takes anything. */
  readonly check?: ((input: unknown) => Checked | PromiseLike<Checked>) | undefined;
  /** The JSON Schema of its arguments, for whoever is asked about a call, and may change them. */
  readonly schema?: (() => unknown) | undefined;
  /** What the framework's own approval says of the call, where Holdfast asks in its place. Of it and policy the stricter counts. */
  readonly says?: (() => OwnRuling | undefined | PromiseLike<OwnRuling | undefined>) | undefined;
}

/** What a framework's own approval says. `rule` is what the ledger calls it. */
export interface OwnRuling {
  readonly then: Then;
  readonly rule: string;
  readonly reason?: string | undefined;
}

/** A tool call that a model's answer asks for, as the model wrote it. */
export interface EmittedCall extends Governed {
  /** The tool call id of the framework. Not unique across turns for every provider. */
  readonly id: string;
  readonly name: string;
  /** The arguments as the model wrote them: usually a JSON string. They are what the tool call's digest is made of. */
  readonly input: unknown;
  /** The id of the answer itself, where the framework has one that no two answers share. */
  readonly answer?: string | undefined;
  /**
   * Who runs it: this process (default); somebody else, as a browser; or nobody, because there is no such tool. That is
   * recorded as a refusal, though the framework is who tells the model.
   */
  readonly runs?: "here" | "elsewhere" | "nowhere" | undefined;
}

/** One touch of the outside world, as an adapter announces it. */
export interface Call<T = unknown> extends Governed {
  readonly kind: CallKind;
  /** The tool's or the step's name; for a model, `provider/model`. */
  readonly name: string;
  /** The tool call id that the model gave, where there is one. */
  readonly id?: string | undefined;
  /** The id of the answer that asked for it, where the framework tells. */
  readonly answer?: string | undefined;
  /**
   * What is asked. Its canonical form is digested: for a model the request without what no two executions share
   * (headers, signals, generated ids); for a tool its arguments, unless a model emitted the call: then the arguments
   * as the model wrote them count, unless they are `verbatim`.
   */
  readonly input: unknown;
  /** The arguments are raw as they are, and count even where somebody changed them after the model wrote them. */
  readonly verbatim?: boolean | undefined;
  /** Overrides what is declared under `tools`. Absent: the declared effect, else `once`; for a model none. */
  readonly effect?: Effect | undefined;
  /** It touches nothing outside, and only its outcome is to be the same in every execution: there is no intent of it. */
  readonly pure?: boolean | undefined;
  /** How long it may take, in milliseconds. Overrides what is declared under `tools`. */
  readonly timeoutMs?: number | undefined;
  readonly retry?: Retry | undefined;
  /** A model call: what `Port.set` says is in the request. Without it, a replay that sets something there stops here. */
  readonly heedsSet?: boolean | undefined;
  /** The caller's own signal. A call that it aborts may or may not have happened: its error is no outcome. */
  readonly signal?: AbortSignal | undefined;
  /** The tool calls that a model's answer asks for. Called with every answer, live or recorded. */
  readonly emits?: ((value: T) => readonly EmittedCall[]) | undefined;
  /**
   * Is this thrown to say that the call has not happened, and is to be made again later? For a framework's own control
   * flow, which a tool's body may throw: it is no outcome.
   */
  readonly undone?: ((error: unknown) => boolean) | undefined;
  /** The tools that the provider may run on its way to a model's answer: policy decides on each before the model is asked. */
  readonly hosted?: readonly string[] | undefined;
  /** Which model is asked, and what it may answer at most. A run with a budget refuses a model call that does not say so. */
  readonly model?: AskedModel | undefined;
  /** Tokens that the answer reports, in the ledger's shape. Called with live answers only. */
  readonly usage?: ((value: T) => Usage | undefined) | undefined;
}

/**
 * What `begin` answers. It does not settle at all when the run parks, is fenced or is cancelled: an exception would be
 * swallowed by the framework and shown to the model as a tool error. It rejects with the recorded error where the
 * call is on record as having thrown.
 */
export type Begun<T> = Recorded<T> | Live<T>;

export interface Recorded<T> {
  readonly at: "recorded";
  readonly value: T;
}

export interface Live<T> {
  readonly at: "live";
  /** The idempotency key: the same whenever this step is dispatched again. */
  readonly key: string;
  /** Aborted when the run stops, by the call's own signal, and when its time is up. */
  readonly signal: AbortSignal;
  /** What to call the tool with: the call's own input, unless whoever approved it changed that. */
  readonly input: unknown;
  /** Of a model call: the output cap to ask with, because a budget has room for no more. Absent: as the request has it. */
  readonly maxOutputTokens: number | undefined;
  /** Runs the call's own code in its lane, where `idempotencyKey()` answers and inner calls are told apart. */
  enter<R>(work: () => R): R;
  /** Does all of the following with `work`: enter, time limit, retries, commit or fail. Gives back what commit does. */
  carryOut(work: (live: Live<T>) => T | PromiseLike<T>): Promise<T>;
  /**
   * Records the outcome and gives back what a replay will give: decode(encode(value)). Settles when the record of a call
   * that may not be repeated blindly is in Postgres; else at once, unless `durable`. Rejects with NOT_SERIALIZABLE, which
   * then is the recorded outcome. Never settles where the run has stopped.
   */
  commit(value: T, options?: { durable?: boolean }): Promise<T>;
  /**
   * So many more bytes of a long output have been read. Rejects with OUTPUT_TOO_LARGE once they are more than may be
   * kept, which then is the recorded outcome: read no further.
   */
  grow(bytes: number): Promise<void>;
  /**
   * The call did not return. For a tool or a step the error is its outcome and is recorded, unless it was `aborted`:
   * an aborted call may or may not have happened. A failed model call is no outcome: the next try takes its place. `said`
   * is what had come of the model's answer: a budget counts it.
   */
  fail(error: unknown, options?: { aborted?: boolean; said?: unknown }): Promise<void>;
}
