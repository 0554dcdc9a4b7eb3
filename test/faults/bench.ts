import { type Holdfast, type HoldfastOptions, openHoldfast } from "@holdfast/core";
import { openWireProxy, type WireProxy } from "@holdfast/core/testing";
import pg from "pg";
import { afterAll, afterEach, beforeAll } from "vitest";
import { freshDatabase } from "../fresh-database.ts";

/** A database for the tests of one file, a proxy in front of it, and Holdfasts on either. */
export function bench() {
  let database: Awaited<ReturnType<typeof freshDatabase>>;
  let proxy: WireProxy;
  let pool: pg.Pool;
  const opened: Holdfast[] = [];
  const pools: pg.Pool[] = [];

  beforeAll(async () => {
    database = await freshDatabase();
    proxy = await openWireProxy(database.url);
    pool = poolOn(database.url);
    await (await openHoldfast({ database: database.url })).close();
  });
  afterEach(async () => {
    proxy.mend();
    await Promise.all(opened.splice(0).map((hf) => hf.close({ graceSeconds: 0 })));
    await Promise.all(pools.splice(0).map((one) => one.end()));
  });
  afterAll(async () => {
    await pool.end();
    await proxy.close();
    await database.drop();
  });

  return {
    get url() {
      return database.url;
    },
    get proxy() {
      return proxy;
    },
    /** A pool of the test's own, ended with it. */
    pool: (url = database.url): pg.Pool => {
      const made = poolOn(url);
      pools.push(made);
      return made;
    },
    /** A Holdfast as another process has it, straight on the server unless told otherwise. */
    open: async (options: HoldfastOptions = {}): Promise<Holdfast> => {
      const hf = await openHoldfast({ database: database.url, ...options });
      opened.push(hf);
      return hf;
    },
    sql: async (text: string, values: unknown[] = []): Promise<Record<string, unknown>[]> =>
      (await pool.query(text, values)).rows,
    /** Ends the server's side of connections, as a failover does: all, or those of one application. */
    terminate: async (application = "%"): Promise<void> => {
      await pool.query(
        `select pg_terminate_backend(pid) from pg_stat_activity
          where datname = current_database() and pid <> pg_backend_pid() and application_name like $1`,
        [application],
      );
    },
  };
}

function poolOn(connectionString: string): pg.Pool {
  const pool = new pg.Pool({ connectionString, application_name: "faults" });
  pool.on("error", () => {});
  return pool;
}

let ids = 0;
export const newRunId = () => `run-${++ids}`;

/** Work that is under way for ever. */
export const forever = <T>(): Promise<T> => new Promise<T>(() => {});

/** Looks until it is so. What never becomes so ends with the test's time limit. */
export async function eventually(look: () => Promise<boolean>): Promise<void> {
  while (!(await look())) await new Promise((resolve) => setImmediate(resolve));
}

/** Every entry's seq is one more than the one before, epochs never decrease, and no step is observed twice. */
export async function soundLedger(
  hf: Holdfast,
  runId: string,
): Promise<{ kinds: string[]; epochs: number[] }> {
  const entries = await hf.entries(runId);
  const epochs = entries.map(({ epoch }) => epoch);
  const seen = new Set<string>();
  for (const [i, entry] of entries.entries()) {
    if (entry.seq !== i + 1) throw new Error(`entry ${entry.seq} stands at place ${i + 1} of ${runId}`);
    if (entry.epoch < (epochs[i - 1] ?? 0))
      throw new Error(`the epoch falls at entry ${entry.seq} of ${runId}`);
    if (entry.kind !== "observation") continue;
    if (seen.has(entry.step)) throw new Error(`step ${entry.step} of ${runId} is observed twice`);
    seen.add(entry.step);
  }
  return { kinds: entries.map(({ kind }) => kind), epochs };
}
