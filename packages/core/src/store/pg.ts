import { createHash } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import type pg from "pg";
import { HoldfastError } from "../errors.ts";
import type { ConnectionOptions, Database, Queryable } from "./database.ts";

/** How long a statement is tried again while the database is away, before DATABASE_UNAVAILABLE. */
export const PATIENCE_MS = 60_000;
const FIRST_PAUSE_MS = 25;
const LONGEST_PAUSE_MS = 2_000;

/**
 * SQLSTATEs and socket errors that say "not now" rather than "not so". Every statement of the store may be sent again:
 * each recognises what it has already done. https://www.postgresql.org/docs/current/errcodes-appendix.html
 */
const NOT_NOW =
  /^(08|57P0[1235]|53[1-4]00|40001|40P01|25006|ECONN|EPIPE|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|EAI_AGAIN)/;
const LOST =
  /Connection terminated|Client has encountered a connection error|timeout exceeded when trying to connect/;

export interface PgOptions {
  /** False behind a pooler that hides sessions: a prepared statement of one is unknown to the next. */
  readonly prepare?: boolean;
  /** How long to try again while the database is away, in milliseconds. */
  readonly patienceMs?: number;
  /** Close the pool with the Database; a pool that the caller gave stays the caller's. */
  readonly owned?: boolean;
}

/** A pg.Pool as a Database. Its statements wait out a database that is away, for a bound. */
export function fromPg(
  pool: pg.Pool,
  { prepare = true, patienceMs = PATIENCE_MS, owned = true }: PgOptions = {},
): Database {
  // A pool without a listener kills the process when an idle connection is cut; the next query says so soon enough.
  pool.on("error", ignore);
  const statement = (text: string, values: readonly unknown[] = []) =>
    prepare
      ? { name: nameOf(text), text, values: values as unknown[] }
      : { text, values: values as unknown[] };
  const on = (client: Pick<pg.Pool, "query">): Queryable => ({
    query: async (text, values) => {
      try {
        return (await client.query(statement(text, values))) as never;
      } catch (error) {
        throw (error as { code?: unknown }).code === "42501" ? unavailable(error) : error; // insufficient_privilege
      }
    },
    script: async (text) => {
      await client.query(text);
    },
  });

  // A transaction that is open while its tool waits for a step must not keep that step from a connection.
  let transactions: pg.Pool | undefined;
  const ownConnections = (): pg.Pool => {
    if (transactions) return transactions;
    const { password } = pool.options; // no enumerable property
    transactions = new (pool.constructor as typeof pg.Pool)({
      ...pool.options,
      password,
      min: 0,
    } as pg.PoolConfig);
    transactions.on("error", ignore);
    return transactions;
  };

  return {
    query: (text, values) => patiently(patienceMs, () => on(pool).query(text, values)),
    script: (text) => patiently(patienceMs, () => on(pool).script(text)),
    async transaction(work) {
      const client = await patiently(patienceMs, () => pool.connect());
      client.on("error", ignore);
      let broken: Error | undefined;
      try {
        await client.query("begin");
        const result = await work(on(client as never));
        await client.query("commit");
        return result;
      } catch (error) {
        await client.query("rollback").catch((failed: Error) => {
          broken = failed;
        });
        throw error;
      } finally {
        client.off("error", ignore);
        client.release(broken);
      }
    },
    async begin(idleMs) {
      const client = await patiently(patienceMs, () => ownConnections().connect());
      let state: "open" | "ended" | "lost" = "open";
      // A client that is checked out has no other listener, and its loss kills the process.
      const lost = () => {
        state = "lost";
      };
      client.on("error", lost);
      let left = false;
      const leave = (broken?: Error) => {
        if (left) return;
        left = true;
        client.off("error", lost);
        if (broken) client.on("error", ignore); // nobody else listens to one that the pool does not take back
        client.release(broken);
      };
      const end = async (how: "commit" | "rollback") => {
        if (state !== "open") return;
        state = "ended";
        try {
          await client.query(how);
          leave();
        } catch (error) {
          leave(error as Error);
          if (how === "commit") throw error;
        }
      };
      try {
        await client.query("begin");
        await client.query("select set_config('idle_in_transaction_session_timeout', $1, true)", [
          String(idleMs),
        ]);
      } catch (error) {
        leave(error as Error);
        throw isAway(error) ? unavailable(error) : error;
      }
      return {
        ...on(client as never),
        client: onlyWhile(client, () => state === "open"),
        get isLost() {
          return state === "lost";
        },
        commit: () => end("commit"),
        rollback: () => end("rollback"),
        abandon() {
          if (state === "open") state = "ended";
          leave(new Error("the transaction was abandoned"));
        },
      };
    },
    connection: connectionOf(pool),
    async close() {
      // Of a pool of our own the listener stays: sockets may outlive pool.end() by a moment.
      await transactions?.end();
      if (owned) await pool.end();
      else pool.off("error", ignore);
    },
  };
}

/** Tries again while the database is away, at growing distances. Throws DATABASE_UNAVAILABLE when patience ends. */
export async function patiently<T>(patienceMs: number, attempt: () => Promise<T>): Promise<T> {
  const started = performance.now();
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
    try {
      return await attempt();
    } catch (error) {
      if (!isAway(error)) throw error;
      const left = patienceMs - (performance.now() - started);
      if (left <= 0) throw unavailable(error);
      await pause(Math.min(left, pauseMs * (0.5 + Math.random() / 2)));
    }
  }
}

/** Is this error the database being away, rather than the statement being wrong? */
export function isAway(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if (error instanceof AggregateError) return error.errors.some(isAway);
  const { code } = error as { code?: unknown };
  return (typeof code === "string" && NOT_NOW.test(code)) || LOST.test(error.message);
}

export function unavailable(error: unknown): HoldfastError<"DATABASE_UNAVAILABLE"> {
  // An AggregateError (one try per address) has an empty message of its own.
  const cause = error instanceof AggregateError ? error.errors[0] : error;
  const why = (cause instanceof Error ? cause.message : String(cause)) || "it does not answer";
  return new HoldfastError("DATABASE_UNAVAILABLE", { why }, { cause: error });
}

/** What a thread needs to open a connection of its own. Functions (a password callback) stay with the caller. */
function connectionOf(pool: pg.Pool): ConnectionOptions {
  const options = pool.options as unknown as Record<string, unknown>;
  const names = ["connectionString", "host", "port", "user", "password", "database", "ssl", "options"];
  return Object.fromEntries(
    names
      .map((name) => [name, options[name]])
      .filter(([, value]) => value !== undefined && typeof value !== "function"),
  );
}

/** The client as its tool sees it: once the transaction is over, what it would write is nobody's. */
function onlyWhile(client: pg.PoolClient, isOpen: () => boolean): pg.PoolClient {
  const refuse = async (): Promise<never> => {
    const why = "its transaction is over: await what is written before the tool returns";
    throw new HoldfastError("UNHELD_CALL", { name: "tx()", why });
  };
  return new Proxy(client, {
    get(target, property) {
      if (property === "query" && !isOpen()) return refuse;
      const value: unknown = Reflect.get(target, property, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

const names = new Map<string, string>();
function nameOf(text: string): string {
  let name = names.get(text);
  if (!name) {
    name = `hf_${createHash("sha256").update(text).digest("hex").slice(0, 16)}`;
    names.set(text, name);
  }
  return name;
}

const ignore = () => {};
