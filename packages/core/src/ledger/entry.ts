import type { Limits } from "../budget/amount.ts";
import type { Encoded } from "../codec.ts";
import type { Decision } from "../policy/decision.ts";
import type { ErrorClass } from "../retry.ts";
import type { WaitingOn } from "../run/status.ts";

/**
 * The ledger's vocabulary. A run is the list of its entries: nothing is stored
 * about it that cannot be folded out of them again (see replay.ts).
 */
export type Fact =
  | Start
  | Takeover
  | Intent
  | Observation
  | Refusal
  | Doubt
  | Resolution
  | Question
  | Answer
  | Command
  | Note
  | Outcome;

/** What the store adds on append. A writer never chooses any of it. */
export interface Stamp {
  readonly runId: string;
  readonly seq: number; // 1, 2, 3, … per run, without gaps
  readonly epoch: number; // of the lease it was written under; 0 before the first
  readonly at: Date; // by the database's clock, the only one we trust
}

export type Entry<F extends Fact = Fact> = F & Stamp;

export const stamped = <F extends Fact>(fact: F, stamp: Stamp): Entry<F> => ({ ...fact, ...stamp });

/** An entry without its stamp. */
export function factOf<F extends Fact>(entry: Entry<F>): F {
  const { runId: _runId, seq: _seq, epoch: _epoch, at: _at, ...fact } = entry;
  return fact as unknown as F; // what is left of F & Stamp without Stamp
}

/** What kind of thing is called: a model, a tool that a framework runs, or a step of the user's own code. */
export type CallKind = "model" | "tool" | "step";

/** Tokens that one model call used, as the provider reported them. All counts are integers. */
export interface Usage {
  readonly inputTokens?: number | undefined;
  readonly cachedInputTokens?: number | undefined; // among the input: read from the provider's cache
  readonly cacheWriteTokens?: number | undefined; // among the input: put into it
  readonly outputTokens?: number | undefined;
  readonly reasoningTokens?: number | undefined;
}

/** How much harm it does to make the same call twice. */
export type Effect = "read" | "idempotent" | "once" | "transaction";

/** The run exists. `value` is its input. */
export interface Start {
  readonly kind: "start";
  readonly agent?: string | undefined;
  readonly version?: string | undefined;
  readonly inline: boolean; // whoever calls hf.run does the work; no worker may pick it up
  readonly tags?: readonly string[] | undefined;
  readonly parent?: string | undefined;
  readonly key?: string | undefined; // the same key again is the same run
  readonly by?: string | undefined; // who started it
  readonly budget?: Limits | undefined; // what the run may spend
  readonly value?: Encoded | undefined;
}

/** Why an epoch began: the first one, or after what. */
export type After = "start" | "crash" | "wait" | "retry" | "handover";

/** An epoch begins: whoever wrote before is fenced from here on. */
export interface Takeover {
  readonly kind: "takeover";
  readonly worker: string; // host:pid, for people
  readonly number?: number | undefined; // the worker's; none where the run was only found without an owner
  readonly after: After;
  readonly version?: string | null | undefined; // of the agent that goes on with the run
  readonly due?: string | undefined; // when its time had come, where it was woken by that
}

/** "I am about to do this", written before the call goes out, so that a crash leaves a trace of the attempt. */
export interface Intent {
  readonly kind: "intent";
  readonly step: string;
  readonly call: CallKind;
  readonly name: string;
  readonly digest: string; // of the call's canonical input
  readonly effect: Effect;
  readonly key: string; // the idempotency key
  readonly id?: string | undefined; // the framework's tool call id
  readonly parallel?: boolean | undefined; // another of its row was open meanwhile
  readonly beside?: readonly string[] | undefined; // lanes along its path that ran beside a sibling of their name
  readonly decision?: Decision | undefined; // policy's
  readonly counted?: readonly string[] | undefined; // rules whose limit it adds to
  readonly question?: string | undefined; // whose answer let it go out; it is used up by that
  readonly hold?: number | undefined; // micro-dollars, held until it is known what came of the call
  readonly tokens?: number | undefined; // held as well
  readonly budgets?: readonly string[] | undefined; // shared budgets that it is held in, each with its window
  readonly value?: Encoded | undefined; // the input
}

/** "This came of it", written after the call. `value` is the output, or the error where `ok` is false. */
export interface Observation {
  readonly kind: "observation";
  readonly step: string;
  readonly call: CallKind;
  readonly name: string;
  readonly digest: string;
  readonly ok: boolean;
  readonly ms?: number | undefined; // how long the call took, by the worker's monotonic clock
  readonly request?: KeptRequest | undefined; // what a model was asked
  readonly usage?: Usage | undefined;
  readonly mocked?: Mocked | undefined; // in a replay: the call did not go out, and this is what answered
  readonly asks?: readonly Asks[] | undefined; // the tool calls that a model's answer asks for
  readonly cost?: number | undefined; // micro-dollars
  readonly estimated?: true | undefined; // usage and cost are
  readonly parallel?: boolean | undefined;
  readonly beside?: readonly string[] | undefined;
  readonly decision?: Decision | undefined; // of a call without an intent
  readonly question?: string | undefined; // whose answer it gives back; it is used up by that
  readonly value?: Encoded | undefined;
}

/** What answers in a replay: the record of another run, what was set in its place, a stub of the user's, or nothing. */
export type Mocked = "record" | "set" | "stub" | "refused";

/** A tool call that a model's answer asks for. `answer` is the answer's own id, where it has one. */
export interface Asks {
  readonly id: string;
  readonly name: string;
  readonly answer?: string | undefined;
}

/** A field of a model request: whole, or the hash of the blob that holds it, or of the list that it is. */
export type KeptField = { readonly is: unknown } | { readonly blob: string } | { readonly list: string };

/** What is enough to rebuild the request that the provider saw. */
export type KeptRequest = Readonly<Record<string, KeptField>>;

/** A part of a request, under the hash of its content. */
export interface Blob {
  readonly hash: string;
  readonly value: string;
}

/** The call does not go out; a no is kept too. `value` is what it asked for. */
export interface Refusal {
  readonly kind: "refusal";
  readonly step: string;
  readonly call?: CallKind | undefined;
  readonly name: string;
  readonly digest: string;
  readonly reason: string;
  readonly decision?: Decision | undefined; // none where there is nothing to decide: no tool has that name
  readonly question?: string | undefined; // that was answered with no, or not in time
  readonly value?: Encoded | undefined;
}

/** A person is asked: whether a call may go out, whose input is `value`; or for an input. */
export interface Question {
  readonly kind: "question";
  readonly question: string; // its id
  readonly step: string;
  readonly asks: "approval" | "input";
  readonly call: CallKind;
  readonly name: string;
  readonly digest: string; // of the step's canonical input, as the model wrote it
  readonly shown?: string | undefined; // digest of `value`: what is approved, and nothing else
  readonly text: string;
  readonly decision?: Decision | undefined;
  readonly need: number; // so many have to approve
  readonly of?: readonly string[] | undefined; // of these people
  readonly expiresInSeconds?: number | undefined;
  readonly schema?: unknown; // JSON Schema of what may be answered, where there is one
  readonly value?: Encoded | undefined;
}

/** What a person said, or that nobody will. `value` is the input, or other arguments to call with. */
export interface Answer {
  readonly kind: "answer";
  readonly question: string;
  readonly answer: string; // an id: one that is sent twice is said once
  readonly step: string;
  readonly says: "approved" | "denied" | "input" | "expired" | "withdrawn";
  readonly by: string;
  readonly comment?: string | undefined;
  readonly value?: Encoded | undefined;
}

/** An effect may have happened, and nobody can say so from here. Open until a resolution. */
export interface Doubt {
  readonly kind: "doubt";
  readonly step: string;
  readonly why: string;
}

/** How a doubt ended, and who says so. `value` is the output of a call that happened. */
export interface Resolution {
  readonly kind: "resolution";
  readonly step: string;
  readonly happened: boolean;
  readonly by: string;
  readonly comment?: string | undefined;
  readonly value?: Encoded | undefined;
}

/** What a person told the run. `value` is the message that was sent, or the input that it is redriven with. */
export interface Command {
  readonly kind: "command";
  readonly command: "cancel" | "pause" | "resume" | "send" | "redrive" | "raiseBudget";
  readonly by: string;
  readonly to?: Limits | undefined; // what the run may spend from now on
  readonly value?: Encoded | undefined;
}

/** Something worth knowing that changes no outcome. */
export type Note =
  | Counting
  | Drift
  | Resampled
  | Retried
  | Settled
  | Parked
  | Released
  | Failing
  | Ended
  | Forked;

/** The call adds to the counts of these rules, ahead of its intent. */
export interface Counting {
  readonly kind: "note";
  readonly note: "counted";
  readonly step: string;
  readonly rules: readonly string[];
}

export interface Drift {
  readonly kind: "note";
  readonly note: "drift";
  readonly step: string;
  readonly differs: readonly string[]; // the request's fields that differ from the record
}

/** These model answers are set aside: the run, or a part of it, is tried again from its lane's last intent. */
export interface Resampled {
  readonly kind: "note";
  readonly note: "resampled";
  readonly steps: readonly string[];
}

/** A try of a call that may be repeated failed, and it is tried again under the same intent. */
export interface Retried {
  readonly kind: "note";
  readonly note: "retried";
  readonly step: string;
  readonly tries: number; // made so far
  readonly error: string;
  readonly waitMs: number;
}

/** A model call has no answer to record, but may have been billed: what it cost ends its hold. */
export interface Settled {
  readonly kind: "note";
  readonly note: "settled";
  readonly step: string;
  readonly name: string;
  readonly why: string;
  readonly cost?: number | undefined; // micro-dollars
  readonly usage?: Usage | undefined;
  readonly estimated?: true | undefined;
}

/** The lease was given back; what the run waits for. */
export interface Parked {
  readonly kind: "note";
  readonly note: "parked";
  readonly waitingOn: WaitingOn;
}

/** The lease was given back with nothing to wait for: the next worker may go on. */
export interface Released {
  readonly kind: "note";
  readonly note: "released";
}

/** The run's work failed, and is tried again later. */
export interface Failing {
  readonly kind: "note";
  readonly note: "failing";
  readonly tries: number; // made so far
  readonly error: string;
  readonly class: ErrorClass;
  readonly waitMs: number;
}

/** A run that this one needs has ended. `value` is what it returned, or the error that it ended with. */
export interface Ended {
  readonly kind: "note";
  readonly note: "ended";
  readonly run: string;
  readonly name: string; // that this run knows it by
  readonly status: "succeeded" | "failed" | "cancelled" | "dead";
  readonly value?: Encoded | undefined;
}

/** The run goes on from here by itself: what stands before was copied from another. */
export interface Forked {
  readonly kind: "note";
  readonly note: "forked";
  readonly from: string;
  readonly shared: number; // so many entries
  readonly by?: string | undefined; // who forked it
  readonly replays?: "mock-tools" | "counterfactual" | undefined; // the other's record answers the calls of this one
  readonly drift?: "rerun" | undefined; // a model that is asked something else is asked anew
  readonly countsSpent?: true | undefined; // what was spent before counts against the cap of this one
  readonly changed?: readonly number[] | undefined; // entries that were changed as they were copied
  readonly aside?: readonly string[] | undefined; // steps that stood on what was changed: they are done anew
}

/** The run's end. `value` is its value where `kept`, or the error that it failed with. */
export interface Outcome {
  readonly kind: "outcome";
  readonly status: "succeeded" | "failed" | "cancelled" | "dead";
  readonly kept: boolean; // false: the value is no data (an SDK's result object) and is rebuilt from the ledger
  readonly reason?: string | undefined; // why it is dead
  readonly value?: Encoded | undefined;
}
