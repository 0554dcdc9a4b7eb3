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
      const client = await patiently(patienceMs, () => pool.connect());
      client.on("error", ignore); // a client that is checked out has no other listener, and its loss kills the process
      let ended = false;
      const end = async (how: "commit" | "rollback") => {
        if (ended) return;
        ended = true;
        let broken: Error | undefined;
        try {
          await client.query(how);
        } catch (error) {
          broken = error as Error;
          if (how === "commit") throw error;
        } finally {
          client.off("error", ignore);
          client.release(broken);
        }
      };
      try {
        await client.query("begin");
        await client.query("select set_config('idle_in_transaction_session_timeout', $1, true)", [
          String(idleMs),
        ]);
      } catch (error) {
        client.off("error", ignore);
        client.release(error as Error);
        throw isAway(error) ? unavailable(error) : error;
      }
      return { ...on(client as never), client, commit: () => end("commit"), rollback: () => end("rollback") };
    },
    connection: connectionOf(pool),
    async close() {
      // Of a pool of our own the listener stays: sockets may outlive pool.end() by a moment.
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
