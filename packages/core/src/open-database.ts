import { existsSync } from "node:fs";
import { isAbsolute, resolve } from "node:path";
import pg from "pg";
import { HoldfastError } from "./errors.ts";
import type { Database } from "./store/database.ts";
import { fromPg, patiently, unavailable } from "./store/pg.ts";

/** How long a first connection is tried for. A server that is just starting up gets this much time. */
const OPENING_MS = 5_000;
/** Connections of one process, beside the heartbeat's own. */
const MOST_CONNECTIONS = 10;
const SCHEMES = /^postgres(ql)?:\/\//;

/**
 * A connected Database: a pool that the caller has, a `postgres://` address, or the embedded server. Absent:
 * DATABASE_URL, else embedded in ./.holdfast, unless NODE_ENV is "production". Throws INVALID_ARGUMENT,
 * DATABASE_UNAVAILABLE, NO_EMBEDDED_SERVER.
 */
export async function openDatabase(database: string | pg.Pool | undefined): Promise<Database> {
  const given = typeof database === "object" ? database : undefined;
  const pool =
    given ??
    new pg.Pool({
      connectionString: await urlOf(database as string | undefined),
      application_name: "holdfast",
      max: MOST_CONNECTIONS,
      min: 1, // the embedded server stops when nobody is connected
      connectionTimeoutMillis: OPENING_MS,
      allowExitOnIdle: true, // a process that has nothing else to do may end
      keepAlive: true,
    });
  if (!given) pool.on("error", ignore);
  try {
    return fromPg(pool, { owned: given === undefined, prepare: await sessionsAreOurs(pool) });
  } catch (error) {
    if (!given) await pool.end();
    throw error;
  }
}

/** Do statements of one connection reach one session? Not behind a pooler in transaction mode. */
async function sessionsAreOurs(pool: pg.Pool): Promise<boolean> {
  try {
    const client = await patiently(OPENING_MS, () => pool.connect());
    try {
      const { rows } = await client.query<{ pid: number }>("select pg_backend_pid() as pid");
      return rows[0]?.pid === (client as unknown as { processID: number }).processID;
    } finally {
      client.release();
    }
  } catch (error) {
    throw HoldfastError.is(error) ? error : unavailable(error);
  }
}

async function urlOf(database: string | undefined): Promise<string> {
  if (database !== undefined && SCHEMES.test(database)) return database;
  if (database === undefined && process.env.DATABASE_URL) return process.env.DATABASE_URL;
  if (database === undefined && process.env.NODE_ENV === "production") {
    const why = 'is missing: set DATABASE_URL, or say database: "embedded" if that is meant in production';
    throw new HoldfastError("INVALID_ARGUMENT", { argument: "database", why });
  }
  if (database !== undefined && database !== "embedded" && !looksLikeFolder(database)) {
    const why =
      'is neither postgres://…, nor "embedded", nor a folder (write ./name for one that is yet to be made)';
    throw new HoldfastError("INVALID_ARGUMENT", { argument: "database", why });
  }
  const folder = resolve(database === undefined || database === "embedded" ? ".holdfast" : database);
  return await startEmbedded(folder);
}

const looksLikeFolder = (text: string) =>
  isAbsolute(text) || /^\.{1,2}(\/|\\|$)/.test(text) || existsSync(text);

async function startEmbedded(folder: string): Promise<string> {
  let embedded: typeof import("@holdfast/embedded-postgres");
  try {
    embedded = await import("@holdfast/embedded-postgres");
  } catch (error) {
    const why = "the package @holdfast/embedded-postgres is not installed";
    throw new HoldfastError("NO_EMBEDDED_SERVER", { why }, { cause: error });
  }
  try {
    return (await embedded.startEmbeddedPostgres({ folder })).url;
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new HoldfastError("NO_EMBEDDED_SERVER", { why }, { cause: error });
  }
}

const ignore = () => {};
