import { isDeepStrictEqual } from "node:util";
import { type Effect, idempotencyKey, type Port } from "@holdfast/core";
import { PostgresSession } from "./postgres-session.ts";
import { proxyOf } from "./proxy.ts";
import type { Session } from "./sdk.ts";
import { unlessStopped } from "./stop.ts";

type Method = (...args: unknown[]) => unknown;

/** What the runner calls of a session, and what a repeat does. A context, which comes last, is no part of what is asked. */
const METHODS: Readonly<Record<string, Effect>> = {
  getItems: "read",
  addItems: "idempotent",
  popItem: "once",
  clearSession: "idempotent",
  applyHistoryMutations: "idempotent",
  applyHistoryTransaction: "idempotent",
  replaceHistoryWithCompaction: "idempotent",
  runCompaction: "idempotent",
};

/** They hand out an object that means something in one process only. The SDK does without, where they are not there. */
const HIDDEN = ["getItemsWithCompactionOwnership", "addItemsWithCompactionOwnership"];

/**
 * The same session, for one call of `run`: what was read from it when the run began is read again on a replay, and what
 * the run has added is not added a second time.
 */
export function holdSession(session: Session, port: Port): Session {
  const added = new Added(session);
  return proxyOf(session, (name, own) => {
    if (HIDDEN.includes(name)) return false;
    const effect = METHODS[name];
    return effect && holdMethod(name, effect, own, port, added);
  });
}

function holdMethod(name: string, effect: Effect, own: Method, port: Port, added: Added): Method {
  return async (...args) => {
    const [asked] = args;
    const call = { kind: "step", name: `session.${name}`, input: inputOf(name, asked), effect } as const;
    const made = async () => {
      const begun = await port.begin<unknown>(call);
      if (begun.at === "recorded") {
        added.saw(name, asked, begun.value, true);
        return begun.value;
      }
      const value = await begun.carryOut(async () => {
        if (name === "addItems" && (await added.isThere(asked as readonly object[]))) return undefined;
        return plain(
          await own(...(name === "applyHistoryTransaction" ? [keyed(asked), ...args.slice(1)] : args)),
        );
      });
      added.saw(name, asked, value, false);
      return value;
    };
    return await unlessStopped(port, made());
  };
}

/** A transaction goes by a random id, in every execution another: it is known by its place, and takes its key. */
function inputOf(name: string, asked: unknown): unknown {
  return name === "applyHistoryTransaction" ? (asked as { transaction: unknown }).transaction : asked;
}

const keyed = (asked: unknown) => ({ ...(asked as object), operationId: idempotencyKey() });

/** What the SDK's classes say, as data. */
const plain = (value: unknown): unknown =>
  value === undefined ? undefined : JSON.parse(JSON.stringify(value));

/**
 * What this run has added. Between the write of a session and its record a process may die; so a run that goes on looks
 * whether the items are there already, behind those that it began with.
 */
class Added {
  readonly #session: Session;
  /** How many items there were, and are by what this run has added. */
  #length = 0;
  #isRepeat = false;

  constructor(session: Session) {
    this.#session = session;
  }

  saw(name: string, asked: unknown, value: unknown, isRecorded: boolean): void {
    this.#isRepeat ||= isRecorded;
    if (name === "getItems" && asked === undefined) this.#length = (value as readonly object[]).length;
    if (name === "addItems") this.#length += (asked as readonly object[]).length;
    if (name === "clearSession") this.#length = 0;
  }

  async isThere(items: readonly object[]): Promise<boolean> {
    // Ours knows a repeat by its key.
    if (!this.#isRepeat || this.#session instanceof PostgresSession) return false;
    const alike = (some: readonly object[]) =>
      plain(this.#session.prepareHistoryItemsForPersistenceComparison?.(some) ?? some) as object[];
    const wanted = alike(items);
    const since = alike(await this.#session.getItems()).slice(this.#length);
    return since.some((_, i) => isDeepStrictEqual(since.slice(i, i + wanted.length), wanted));
  }
}
