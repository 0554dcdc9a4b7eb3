import pg from "pg";
import { afterAll, beforeAll } from "vitest";
import { freshDatabase } from "../../../test/fresh-database.ts";
import type { Fact } from "../src/ledger/entry.ts";
import { must } from "../src/must.ts";
import type { Database } from "../src/store/database.ts";
import { takeLease } from "../src/store/lease.ts";
import { type Lease, readEntries } from "../src/store/ledger.ts";
import { migrate } from "../src/store/migrate.ts";
import { fromPg } from "../src/store/pg.ts";
import { createInline, getHead, type Head } from "../src/store/runs.ts";
import { beat, lockWorker, registerWorker } from "../src/store/workers.ts";

export interface Worker {
  readonly number: number;
  readonly name: string;
}

/** A migrated database for the tests of one file, and what they arrange in it. */
export interface Store {
  readonly url: string;
  readonly db: Database;
  /** Runs one statement as it stands and gives back its rows. */
  readonly sql: <Row = Record<string, unknown>>(text: string, values?: unknown[]) => Promise<Row[]>;
  /** A session of one's own, for locks that somebody else holds. Ended with the file. */
  readonly session: () => Promise<pg.Client>;
}

export function useStore(): Store {
  let made: { url: string; drop(): Promise<void>; pool: pg.Pool; db: Database } | undefined;
  const sessions: pg.Client[] = [];
  const store = () => must(made, "the store, which is there from beforeAll on");

  beforeAll(async () => {
    const fresh = await freshDatabase();
    const pool = new pg.Pool({ connectionString: fresh.url, max: 20 });
    made = { ...fresh, pool, db: fromPg(pool) };
    await migrate(made.db);
  });
  afterAll(async () => {
    await Promise.all(sessions.map((session) => session.end().catch(() => {})));
    await made?.db.close();
    await made?.drop();
  });

  return {
    get url() {
      return store().url;
    },
    get db() {
      return store().db;
    },
    sql: async (text, values) => (await store().pool.query(text, values)).rows,
    session: async () => {
      const session = new pg.Client({ connectionString: store().url });
      session.on("error", () => {});
      sessions.push(session);
      await session.connect();
      return session;
    },
  };
}

let ids = 0;
export const newId = () => `run-${++ids}`;

/** A worker that is registered, and alive for an hour unless its time is moved. */
export async function aWorker({ db }: Store): Promise<Worker> {
  const registered = await registerWorker(db, { leaseSeconds: 3600, host: "host", pid: 1, version: "0" });
  const number = must(registered, "the worker's number");
  return { number, name: `host:${number}` };
}

/** The worker's session: as long as it is open, the worker's lock is held. */
export async function lockIn(store: Store, { number }: Worker): Promise<pg.Client> {
  const session = await store.session();
  const lockedIn = await lockWorker(fromClient(session), number);
  await beat(store.db, number, 3600, must(lockedIn, "the lock"));
  return session;
}

/** Ends a session and waits until the server has noticed. */
export async function endSession(store: Store, session: pg.Client): Promise<void> {
  const pid = (session as unknown as { processID: number }).processID;
  await session.end();
  await eventually(async () => {
    const rows = await store.sql("select from pg_stat_activity where pid = $1", [pid]);
    return rows.length === 0;
  });
}

/** The worker's time to live is over. */
export async function expire(store: Store, { number }: Worker): Promise<void> {
  await store.sql("update holdfast.workers set until = now() - interval '1 second' where worker = $1", [
    number,
  ]);
}

/** A new inline run that the worker holds: two entries, epoch 1. */
export async function aRun(store: Store, worker: Worker, runId = newId()): Promise<Lease> {
  const [created] = await createInline(store.db, [
    { runId, start: { kind: "start", inline: true }, inputDigest: undefined, worker },
  ]);
  return must(created, "the run").lease;
}

/** The run is taken over by another worker, its owner's time being over. */
export async function takeOver(store: Store, lease: Lease, owner: Worker): Promise<Lease> {
  await expire(store, owner);
  const sight = { epoch: lease.epoch, beats: null, gone: false, mine: false };
  const taken = await takeLease(store.db, lease, await aWorker(store), "crash", sight);
  return must(taken, "the takeover").lease;
}

export const headOf = async ({ db }: Store, { runId }: Pick<Lease, "runId">): Promise<Head> =>
  must(await getHead(db, runId), "the head");

export const entriesOf = ({ db }: Store, lease: Lease) => readEntries(db, lease);

/** What is told of the entries after those that every run begins with. */
export async function toldOf(store: Store, lease: Lease): Promise<string[]> {
  const entries = await readEntries(store.db, lease, 2);
  return entries.map((entry) => ("step" in entry ? `${entry.kind} ${entry.step}` : entry.kind));
}

export const noteOf = (step: string): Fact => ({ kind: "note", note: "drift", step, differs: [] });

/** Looks until it is so. What never becomes so ends with the test's time limit. */
export async function eventually(look: () => Promise<unknown>): Promise<void> {
  while (!(await look())) await new Promise((resolve) => setImmediate(resolve));
}

function fromClient(client: pg.Client) {
  return {
    query: (text: string, values?: readonly unknown[]) => client.query(text, values as unknown[]) as never,
    script: async () => {},
  };
}
