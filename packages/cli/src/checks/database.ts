import type { Queryable } from "@holdfast/core";
import type { Finding } from "./check.ts";

const SERVER = /* sql */ `
select current_setting('server_version_num')::int as version,
       current_setting('server_version') as "versionText",
       current_setting('fsync') = 'on' and current_setting('full_page_writes') = 'on' as "keepsWhatItSays",
       current_setting('synchronous_commit') as "synchronousCommit",
       extract(epoch from clock_timestamp())::float8 * 1000 as "nowMs"`;

/** The oldest Postgres that Holdfast takes. */
const OLDEST = 150_000;
/** Clocks that are further apart than this make logs hard to read together. Leases go by the database's alone. */
const APART_MS = 2_000;

/** The server: its version, whether a commit is one, and its clock. */
export async function checkServer(db: Queryable): Promise<Finding[]> {
  const before = Date.now();
  const { rows } = await db.query<{
    version: number;
    versionText: string;
    keepsWhatItSays: boolean;
    synchronousCommit: string;
    nowMs: number;
  }>(SERVER);
  const after = Date.now();
  const [server] = rows;
  if (!server) return [];
  const { version, versionText, keepsWhatItSays, synchronousCommit, nowMs } = server;
  const apart = Math.max(before - nowMs, nowMs - after, 0);
  return [
    { name: "database", is: "ok", says: `answers within ${after - before} ms` },
    version >= OLDEST
      ? { name: "version", is: "ok", says: `Postgres ${versionText}` }
      : {
          name: "version",
          is: "broken",
          says: `Postgres ${versionText}`,
          todo: "Upgrade it to 15 or newer.",
        },
    !keepsWhatItSays || synchronousCommit === "off"
      ? {
          name: "durability",
          is: "warning",
          says: `fsync, full_page_writes or synchronous_commit is off (${synchronousCommit})`,
          todo: "Turn them on: after a power loss the ledger may lack intents of calls that were made.",
        }
      : { name: "durability", is: "ok", says: "a commit is on disk" },
    apart > APART_MS
      ? {
          name: "clock",
          is: "warning",
          says: `the database's clock is ${Math.round(apart)} ms from this machine's`,
          todo: "Leases go by the database's clock and are safe; let both follow NTP, so that logs can be read together.",
        }
      : { name: "clock", is: "ok", says: "agrees with this machine's" },
  ];
}

const SESSION = /* sql */ `select pg_backend_pid() as pid`;

/** Do the statements of one connection reach one session? */
export async function checkPooler(
  connect: () => Promise<{ said: number; found: (sql: string) => Promise<number>; end(): Promise<void> }>,
): Promise<Finding> {
  const session = await connect();
  try {
    return session.said === (await session.found(SESSION))
      ? { name: "pooler", is: "ok", says: "none, or one that keeps sessions" }
      : {
          name: "pooler",
          is: "ok",
          says: "in transaction mode: a dead worker's runs are taken over when its leases run out, not sooner",
        };
  } finally {
    await session.end();
  }
}
