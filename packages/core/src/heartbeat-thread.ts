import { setTimeout as pause } from "node:timers/promises";
import { parentPort, workerData } from "node:worker_threads";
import pg from "pg";
import { must } from "./must.ts";
import { Pulse } from "./pulse.ts";
import type { ConnectionOptions, Queryable } from "./store/database.ts";
import { beat, lockWorker, registerWorker, retireWorker } from "./store/workers.ts";

/** What the thread is started with. */
export interface ThreadData {
  readonly memory: SharedArrayBuffer;
  readonly connection: ConnectionOptions;
  readonly leaseSeconds: number;
  /** The main loop may stand still that long before its worker is given up for wedged. */
  readonly wedgedAfterSeconds: number;
  readonly host: string;
  readonly pid: number;
  readonly version: string;
}

/** What the thread tells the main loop. */
export type ThreadMessage =
  | { readonly at: "registered"; readonly worker: number }
  | { readonly at: "beat"; readonly leases: readonly string[] }
  | { readonly at: "away"; readonly error: Error };

const RECONNECT_MS = 100;

const { memory, connection, leaseSeconds, wedgedAfterSeconds, host, pid, version } = workerData as ThreadData;
const port = must(parentPort, "a parent: this file is a thread");
const tell = (message: ThreadMessage) => port.postMessage(message);
const pulse = new Pulse(memory);
const leaseMs = leaseSeconds * 1000;
const beatMs = leaseMs / 3;

let worker: number | undefined;
let holding = 0n;
let stopped = false;
let wake = () => {};

port.on("message", () => {
  stopped = true;
  wake();
});

void live();

/** One connection after another until told to stop: a lost one is replaced at once, its lock with it. */
async function live(): Promise<void> {
  while (!stopped) {
    const client = new pg.Client({
      ...connection,
      application_name: "holdfast heartbeat",
      connectionTimeoutMillis: beatMs,
      keepAlive: true,
    });
    let lost = false;
    client.on("error", () => {
      lost = true;
      pulse.lock = 0n;
      wake();
    });
    client.on("end", () => {
      lost = true;
      pulse.lock = 0n;
      wake();
    });
    try {
      await within(beatMs, client, client.connect());
      await keepAlive(client, () => lost);
    } catch (error) {
      tell({ at: "away", error: error as Error });
    }
    pulse.lock = 0n;
    client.end().catch(() => {});
    if (!stopped) await sleep(RECONNECT_MS);
  }
  port.close(); // and with it the thread ends
}

async function keepAlive(client: pg.Client, isLost: () => boolean): Promise<void> {
  const db: Queryable = {
    query: (text, values) => within(beatMs, client, client.query(text, values as unknown[])) as never,
    script: async () => {},
  };
  // Behind a pooler the session is not ours to lock: the server's process is not the one we were told of.
  const { rows } = await db.query<{ pid: number }>("select pg_backend_pid() as pid");
  const pooled = rows[0]?.pid !== (client as unknown as { processID: number }).processID;
  let lockedIn: string | undefined;
  holding++;

  while (!isLost()) {
    if (stopped) {
      if (worker !== undefined) await retireWorker(db, worker);
      return;
    }
    // A beat that comes after the end of the lease keeps the next runs alive, not the ones that were held.
    if (worker !== undefined && pulse.isOver()) pulse.lapse();
    if (pulse.stalledMs() < wedgedAfterSeconds * 1000) {
      const [sent, sentWall] = [process.hrtime.bigint(), Date.now()];
      if (worker === undefined) {
        worker = must(await registerWorker(db, { leaseSeconds, host, pid, version }), "the worker's row");
        pulse.renewed(sent, sentWall, leaseMs);
        tell({ at: "registered", worker });
      }
      // A session that the server has not yet noticed to be dead may still hold the lock. Until it is ours again, the
      // beat says that there is none, and the time to live alone decides.
      if (!pooled && lockedIn === undefined) lockedIn = await lockWorker(db, worker);
      const leases = await beat(db, worker, leaseSeconds, lockedIn);
      if (!leases) {
        // Somebody deleted the row, and with it what every lease of this worker rests on. It begins anew as another one.
        pulse.lapse();
        const gone = worker;
        worker = undefined;
        throw new Error(`the row of worker ${gone} is gone`);
      }
      if (pulse.isOver()) pulse.lapse();
      pulse.renewed(sent, sentWall, leaseMs);
      pulse.lock = holding;
      tell({ at: "beat", leases });
    }
    if (!isLost()) await sleep(beatMs);
  }
}

/** A connection that does not answer is as bad as none: it is cut, so that a new one can be tried in time. */
async function within<T>(ms: number, client: pg.Client, answer: Promise<T>): Promise<T> {
  const timer = setTimeout(() => {
    (
      client as unknown as { connection: { stream: { destroy(error: Error): void } } }
    ).connection.stream.destroy(new Error(`the database did not answer within ${Math.round(ms)} ms`));
  }, ms);
  try {
    return await answer;
  } finally {
    clearTimeout(timer);
  }
}

async function sleep(ms: number): Promise<void> {
  const waking = new AbortController();
  wake = () => waking.abort();
  await pause(ms, undefined, { signal: waking.signal }).catch(() => {});
  wake = () => {};
}
