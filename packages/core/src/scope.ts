import { AsyncLocalStorage } from "node:async_hooks";
import type { Asking } from "./asking.ts";
import type { Lane } from "./lane.ts";
import type { Ended } from "./ledger/entry.ts";
import type { Then } from "./policy/decision.ts";
import type { OwnedRun, Port, Substitution } from "./port.ts";
import type { Begun, Call, Live } from "./step/call.ts";

const scopes = scopeStorage();

/** What a scope needs of the execution of its run: a Session. */
export interface Execution {
  readonly runId: string;
  readonly signal: AbortSignal;
  readonly time: Date;
  /** The scope that the run was started in. */
  readonly parent: Scope | undefined;
  begin<T>(lane: Lane, call: Call<T>): Promise<Begun<T>>;
  value<T>(lane: Lane, name: string, make: () => T): T;
  ask(lane: Lane, asking: Asking<unknown>): Promise<unknown>;
  decides(lane: Lane, call: Call<never>): Promise<Then>;
  sleep(lane: Lane, milliseconds: number): Promise<void>;
  /** Parks until another run has ended. `depend` makes sure that this one is told. */
  awaitRun(lane: Lane, runId: string, depend: () => Promise<void>): Promise<Ended>;
  /** What was sent to the run and has not been received before; with `wait` it parks until there is something. */
  receive(lane: Lane, wait: boolean): Promise<unknown[]>;
  owned<T>(write: (lease: OwnedRun) => Promise<T | undefined>): Promise<T | undefined>;
  keep(promise: PromiseLike<unknown>): void;
  resample(lane: Lane): Promise<void>;
  readonly set?: Substitution | undefined;
  /** Of a trace or another replay alone: what stands in for whatever would reach beyond the record. */
  readonly trace?: Beyond | undefined;
}

export interface Beyond {
  /** Says that the code leaves the record here, and throws. */
  refuse(what: string): never;
  /** A run that is begun inside this one: answered from its own record. */
  child<T>(id: string, work: () => T | PromiseLike<T>): Promise<T>;
}

/** Where we are: in which run, and at which lane of it. What adapters see as the Port. */
export class Scope implements Port {
  readonly session: Execution;
  readonly at: Lane;
  /** The idempotency key of the call whose body this is. */
  readonly key: string | undefined;
  /** The transaction of the call whose body this is: a client of the driver. */
  readonly client: unknown;

  constructor(session: Execution, at: Lane, key?: string, client?: unknown) {
    this.session = session;
    this.at = at;
    this.key = key;
    this.client = client;
  }

  /** The same place, in a transaction. */
  with(client: unknown): Scope {
    return new Scope(this.session, this.at, this.key, client);
  }

  get runId(): string {
    return this.session.runId;
  }

  get signal(): AbortSignal {
    return this.session.signal;
  }

  get set(): Substitution | undefined {
    return this.session.set;
  }

  get isReplay(): boolean {
    return this.session.trace !== undefined;
  }

  enter<T>(work: () => T): T {
    return scopes.run(this, work);
  }

  lane<T>(name: string, work: () => T): T {
    return new Scope(this.session, this.at.child(name), this.key, this.client).#hold(work);
  }

  begin<T>(call: Call<T>): Promise<Begun<T>> {
    return this.session.begin(this.at, call);
  }

  async step<T>(call: Call<T>, work: (live: Live<T>) => T | PromiseLike<T>): Promise<T> {
    const begun = await this.begin(call);
    return begun.at === "recorded" ? begun.value : await begun.carryOut(work);
  }

  owned<T>(write: (lease: OwnedRun) => Promise<T | undefined>): Promise<T | undefined> {
    return this.session.owned(write);
  }

  decides(call: Call<never>): Promise<Then> {
    return this.session.decides(this.at, call);
  }

  keep(promise: PromiseLike<unknown>): void {
    this.at.hold(promise);
    this.session.keep(promise);
  }

  async resample<T>(work: () => T | PromiseLike<T>): Promise<T> {
    await this.session.resample(this.at);
    return await this.#hold(work);
  }

  /** The lane is open until the work has settled. */
  #hold<T>(work: () => T): T {
    const close = this.at.open();
    let result: T;
    try {
      result = this.enter(work);
    } catch (error) {
      close();
      throw error;
    }
    // Before anybody who awaits the result goes on: a lane that comes after this one does not run beside it.
    if (isPromiseLike(result)) result.then(close, close);
    else queueMicrotask(close);
    return result;
  }
}

/** The scope that the caller runs in: undefined outside a run. */
export const currentScope = (): Scope | undefined => scopes.getStore();

/** Runs `work` as if outside any run. */
export const outside = <T>(work: () => T): T => scopes.exit(work);

// Two copies of this package in one process (ESM and CJS, or two versions) share one storage: a run that one of them
// opened must be seen by an adapter that imported the other.
function scopeStorage(): AsyncLocalStorage<Scope> {
  const shared = globalThis as unknown as Record<symbol, AsyncLocalStorage<Scope> | undefined>;
  const mark = Symbol.for("holdfast.scope.1");
  shared[mark] ??= new AsyncLocalStorage<Scope>();
  return shared[mark];
}

const isPromiseLike = (value: unknown): value is PromiseLike<unknown> =>
  typeof (value as { then?: unknown } | null | undefined)?.then === "function";
