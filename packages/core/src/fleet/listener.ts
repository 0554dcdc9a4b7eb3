import { setTimeout as pause } from "node:timers/promises";
import pg from "pg";
import type { ConnectionOptions } from "../store/database.ts";
import { CHANNEL, SHOW, type Topic } from "../store/notify.ts";

const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 5_000;

/**
 * Hears what other processes tell, on a connection of its own. Where there is none (the database is away, a pooler hides
 * sessions) nothing is heard, and polling does alone.
 */
export class Listener {
  readonly #connection: ConnectionOptions;
  readonly #heard: (topic: Topic) => void;
  readonly #channel: string;
  readonly #isSeen: boolean;
  readonly #stopping = new AbortController();
  readonly #living: Promise<void>;

  /** `isSeen`: whoever tells can see that somebody listens. */
  constructor(
    connection: ConnectionOptions,
    heard: (topic: Topic) => void,
    { channel = CHANNEL, isSeen = false }: { channel?: string; isSeen?: boolean } = {},
  ) {
    this.#channel = channel;
    this.#isSeen = isSeen;
    this.#connection = connection;
    this.#heard = heard;
    this.#living = this.#live();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#living;
  }

  async #live(): Promise<void> {
    const { signal } = this.#stopping;
    for (let pauseMs = FIRST_PAUSE_MS; !signal.aborted; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
      const client = new pg.Client({
        ...this.#connection,
        application_name: "holdfast listener",
        keepAlive: true,
      });
      // A client that is told to end while it connects may never say so: its socket is cut.
      const cut = () => streamOf(client).destroy();
      const { promise: over, resolve } = Promise.withResolvers<void>();
      const end = () => resolve();
      client.on("error", end);
      client.on("end", end);
      signal.addEventListener("abort", end);
      client.on("notification", ({ payload }) => this.#heard(payload as Topic));
      try {
        if (await this.#listen(client, over)) pauseMs = FIRST_PAUSE_MS;
        else return;
        await over;
      } catch {
        // it is tried again
      }
      signal.removeEventListener("abort", end);
      cut();
      await pause(pauseMs, undefined, { signal, ref: false }).catch(() => {});
    }
  }

  /** False behind a pooler: the session that listens would not be ours. */
  async #listen(client: pg.Client, over: Promise<void>): Promise<boolean> {
    const listening = (async () => {
      await client.connect();
      const { rows } = await client.query<{ pid: number }>("select pg_backend_pid() as pid");
      if (rows[0]?.pid !== (client as unknown as { processID: number }).processID) return false;
      await client.query(`listen ${this.#channel}`);
      if (this.#isSeen) await client.query(SHOW);
      return true;
    })();
    listening.catch(() => {});
    const listens = await Promise.race([listening, over.then(() => true)]);
    if (!listens) streamOf(client).destroy();
    // What was told before this is found by looking.
    this.#heard("queued");
    this.#heard("commanded");
    return listens;
  }
}

const streamOf = (client: pg.Client) =>
  (client as unknown as { connection: { stream: { destroy(): void } } }).connection.stream;
