import { randomUUID as newUUID } from "node:crypto";
import type { PoolClient } from "pg";
import type { Asking } from "./asking.ts";
import { secondsOf } from "./duration.ts";
import { HoldfastError } from "./errors.ts";
import type { Effect } from "./ledger/entry.ts";
import { outsideRun } from "./outside-run.ts";
import type { Port } from "./port.ts";
import type { Retry } from "./retry.ts";
import { currentScope, type Scope } from "./scope.ts";
import { checkSettings } from "./settings.ts";

/** The run that the caller is in, as adapters see it. Undefined outside a run. */
export const current = (): Port | undefined => currentScope();

export interface StepOptions {
  /** How much harm a repeat does. Default `once`: after a crash in the middle it is in doubt, never done again. */
  readonly effect?: Effect;
  /**
   * What the step works on: data. Steps of one name that may run side by side, or in another order, are told apart by
   * it; and a step whose input differs from the one on record is DIVERGED.
   */
  readonly input?: unknown;
  /** How long it may take, in milliseconds. Then a repeatable step has failed with TIMED_OUT; any other is in doubt. */
  readonly timeoutMs?: number;
  /** Tries after an error, where the effect permits a repeat. */
  readonly retry?: Retry;
}

/**
 * Does `work` once for all executions of the run: its outcome (also an error it throws) is recorded, and returned
 * instead of doing it again. Outside a run it just does it. Throws NOT_SERIALIZABLE where the value cannot be kept.
 */
export async function step<T>(
  name: string,
  work: () => T | PromiseLike<T>,
  options: StepOptions = {},
): Promise<T> {
  if (typeof name !== "string" || name === "") {
    throw new HoldfastError("INVALID_ARGUMENT", {
      argument: "A step's name",
      why: "must be a string that is not empty",
    });
  }
  const { input, effect = "once", ...limits } = options;
  checkSettings(`step("${name}")`, { effect, ...limits }, ["effect", "timeoutMs", "retry"]);
  const scope = currentScope();
  if (!scope) {
    outsideRun(`step("${name}")`);
    return await work();
  }
  return await scope.step({ kind: "step", name, input, effect, ...limits }, () => work());
}

/** A step that is never done again on its own, for callbacks that must not run a second time on a replay. */
export const once = <T>(name: string, work: () => T | PromiseLike<T>): Promise<T> => step(name, work);

/** The time, by the database's clock, the first time it was asked for: a replay gets the same. */
export function now(): Date {
  const { scope, value } = inRun("now()");
  return value("now", () => scope.session.time);
}

/** A random UUID (v4): a replay gets the same. */
export const randomUUID = (): string => inRun("randomUUID()").value("randomUUID", newUUID);

/**
 * Waits for so long: `30d`, `12h`, `90s`, or a number of milliseconds. The time is on record, so that it passes also while
 * no process is there: a wait of more than a second parks the run. Throws INVALID_ARGUMENT for what is no duration.
 */
export async function sleep(duration: string | number): Promise<void> {
  const milliseconds = secondsOf("sleep()", duration) * 1000;
  const { scope } = inRun("sleep()");
  await scope.session.sleep(scope.at, milliseconds);
}

/**
 * Asks a person, and gives back what is answered, as the schema gives it: by `hf.questions.answer`, from any process. The
 * run parks meanwhile. An answer that the schema refuses is asked for again. Throws QUESTION_EXPIRED once `expiresIn` is
 * over, INVALID_ARGUMENT outside a run and inside a call that may not be repeated.
 */
export async function ask<T = unknown>(asking: Asking<T>): Promise<T> {
  const { scope } = inRun("ask()");
  const { question, expiresIn } = asking;
  if (typeof question !== "string" || question === "") {
    const why = "must be text that is not empty";
    throw new HoldfastError("INVALID_ARGUMENT", { argument: "ask()'s question", why });
  }
  if (expiresIn !== undefined) secondsOf("ask()'s expiresIn", expiresIn);
  return (await scope.session.ask(scope.at, asking)) as T; // what its schema gave
}

/**
 * What was sent to this run with `hf.send` and it has not received before, oldest first. Recorded: a replay receives the same.
 * With `wait` it parks until there is something.
 */
export async function receive({ wait = false }: { readonly wait?: boolean } = {}): Promise<unknown[]> {
  const { scope } = inRun("receive()");
  return await scope.session.receive(scope.at, wait);
}

/** Aborted when the run is parked, cancelled, fenced, or its worker stops. */
export const signal = (): AbortSignal => inRun("signal()").scope.signal;

/**
 * The key that the tool or step one is in passes on, so that the outside world recognises a repeat: the same for every
 * dispatch of the step, another for every other step.
 */
export function idempotencyKey(): string {
  const key = inRun("idempotencyKey()").scope.key;
  if (key === undefined) {
    throw new HoldfastError("INVALID_ARGUMENT", {
      argument: "idempotencyKey()",
      why: "is asked inside a tool or a step",
    });
  }
  return key;
}

/**
 * The transaction of the `transaction` tool or step one is in: a `pg` client. What is written through it and the record of
 * the outcome are committed together, or not at all. It is committed when the tool returns: not by the tool.
 */
export function tx(): PoolClient {
  const { client } = inRun("tx()").scope;
  if (client === undefined) {
    throw new HoldfastError("INVALID_ARGUMENT", {
      argument: "tx()",
      why: 'is asked in a tool or step with the effect "transaction"',
    });
  }
  return client as PoolClient; // what store/pg.ts put there
}

function inRun(what: string): { scope: Scope; value: <T>(name: string, make: () => T) => T } {
  const scope = currentScope();
  if (!scope) throw new HoldfastError("INVALID_ARGUMENT", { argument: what, why: "is asked inside a run" });
  return { scope, value: (name, make) => scope.session.value(scope.at, name, make) };
}
