import type { Then } from "./policy/decision.ts";
import type { Begun, Call, Live } from "./step/call.ts";

/** What a statement of the run's owner carries in its `where`. */
export interface OwnedRun {
  readonly runId: string;
  readonly epoch: number;
}

/** What a replay has models asked otherwise. */
export interface Substitution {
  /** The model that is asked, as the framework knows models. */
  readonly model?: unknown;
  /** The system prompt. */
  readonly prompt?: string | undefined;
}

/** All that an adapter sees of Holdfast: the run it is in, at the lane it is in. */
export interface Port {
  readonly runId: string;
  /** The run's own signal: aborted when the run is parked, cancelled, fenced, or its worker stops. */
  readonly signal: AbortSignal;
  /** In a replay that asks models otherwise: put it into each request before it is announced, and say `heedsSet`. */
  readonly set: Substitution | undefined;
  /** Is a run looked back at? Then whatever lies outside its record is neither asked nor changed. */
  readonly isReplay: boolean;
  /** Runs `work` in a child lane: one per framework call, node or sub-agent. Same-name siblings are told apart. */
  lane<T>(name: string, work: () => T): T;
  /** Runs `work` in this very lane, for callbacks that lost their async context. */
  enter<T>(work: () => T): T;
  /** Announces a call: it is on record, or it may go out now, or it never settles because the run stops here. */
  begin<T>(call: Call<T>): Promise<Begun<T>>;
  /**
   * Sugar over `begin`: runs `work` live, in the call's own lane, within its time limit, again where it may be retried,
   * and records what came of it.
   */
  step<T>(call: Call<T>, work: (live: Live<T>) => T | PromiseLike<T>): Promise<T>;
  /**
   * Writes into a table of the adapter's own as the owner of the run. `write` sends one statement, or one transaction, that
   * locks the run's head `where run_id = … and epoch = …` first, and gives undefined where there is none: then the run
   * stops here, and this never settles. Undefined, with nothing written, in a run that is only re-run over its ledger: it
   * has finished, or is traced.
   */
  owned<T>(write: (lease: OwnedRun) => Promise<T | undefined>): Promise<T | undefined>;
  /**
   * What policy says of a tool call that a model asks for, before it begins: for a framework that has an approval of its
   * own. Where it is `ask` or `deny`, the framework is to ask nothing itself, and to begin the call.
   */
  decides(call: Call<never>): Promise<Then>;
  /** Work that must settle before the run may end. If it rejects, the run fails with it, unless its work did first. */
  keep(promise: PromiseLike<unknown>): void;
  /**
   * The framework tries this lane again, from its beginning: `work` finds there what is on record, but model answers
   * after the lane's last intent are asked for anew.
   */
  resample<T>(work: () => T | PromiseLike<T>): Promise<T>;
}
