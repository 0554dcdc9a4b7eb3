import type { Client } from "pg";
import { LAST_RITES, shellQuote } from "./last-rites.ts";

/** Advisory locks in the database `postgres`, which only openers and the watch use. */
export const LOCKS = { watched: 1_873_001, stopping: 1_873_002 } as const;

/** How long the server waits for the first connection of a process that has just opened it. */
const GRACE_SECONDS = 5;

/** The watch's own session, and those of openers, are no clients; see `open`. */
export const OPENER = "holdfast opener";

/**
 * Runs inside the server, in a session whose client has gone, and returns when nobody has been connected for `linger`.
 * Time is counted in naps and not read from a clock, so that a machine that was asleep does not stop its server at once.
 */
const WATCH = /* sql */ `
create function pg_temp.watch(linger float8, grace float8, postmaster int) returns void language plpgsql as $$
declare
  nap    constant float8 := 0.2;
  patience        float8 := 0;
  busy            boolean;
  openings_seen   bigint := -1;
  openings_now    bigint;
  sessions_seen   bigint := -1;
  sessions_now    bigint;
begin
  raise notice 'watching';
  loop
    perform pg_stat_clear_snapshot();
    select exists (select
                     from pg_stat_activity
                    where backend_type in ('client backend', 'walsender')
                      and pid <> pg_backend_pid()
                      and application_name <> '${OPENER}') into busy;
    -- A session may come and go while this one naps. It is counted when it goes.
    select coalesce(sum(sessions), 0) from pg_stat_database where datname <> 'postgres' into sessions_now;
    select last_value from public.openings into openings_now;

    if busy or sessions_now <> sessions_seen then
      patience := linger;
    end if;
    if openings_now <> openings_seen then
      patience := greatest(patience, linger, grace);
    end if;
    sessions_seen := sessions_now;
    openings_seen := openings_now;

    -- An opener holds this lock shared while it looks, and leaves its number in openings before it lets go. So either
    -- it finds the lock taken and waits for the next server, or this look finds the number.
    if not busy and patience <= 0 and pg_try_advisory_lock(${LOCKS.stopping}) then
      select last_value from public.openings into openings_now;
      exit when openings_now = openings_seen;
      perform pg_advisory_unlock(${LOCKS.stopping});
    end if;
    perform pg_sleep(nap);
    patience := patience - nap;
  end loop;

  -- The shell that reads from this session stops the server as soon as the session ends. It is told twice, for the case
  -- that somebody killed that shell.
  execute format('copy (select) to program %L', 'kill -INT ' || postmaster);
end
$$`;

/**
 * Turns the session into the server's watch, and leaves it. From here on the server cannot outlive the watch:
 *
 * - the watch sees nobody for `lingerSeconds`: it ends, the shell's input ends, the shell stops the server;
 * - the watch's session is terminated or cancelled: the same;
 * - a process of the server is killed, the watch's own included: Postgres stops, by `restart_after_crash = off`;
 * - the shell is killed: the watch stops the server itself when its time has come;
 * - the server's first process is killed: every other one notices and ends, by Postgres's own design.
 *
 * There is no process outside of the server whose death would leave it behind.
 */
export async function becomeWatch(
  client: Client,
  server: { pid: number; lingerSeconds: number; folderToRemove: string | undefined },
): Promise<void> {
  // Only a look at the client's socket could tell the session that its client has gone, so it must not look.
  await client.query("set client_connection_check_interval = 0");
  await client.query("set statement_timeout = 0");
  await client.query("set transaction_timeout = 0");
  await client.query("set application_name = 'holdfast watch'");
  await client.query(WATCH);

  const shell = `${LAST_RITES} last_rites ${server.pid} ${shellQuote(server.folderToRemove ?? "")} >/dev/null 2>&1`;
  const copy =
    `copy (select pg_temp.watch(${server.lingerSeconds}, ${GRACE_SECONDS}, ${server.pid}))` +
    ` to program ${client.escapeLiteral(shell)}`;

  await new Promise<void>((watching, failed) => {
    client.on("notice", ({ message }) => {
      if (message === "watching") watching();
    });
    client.query(copy).then(() => failed(new Error("The watch ended at once.")), failed);
  });
  // The session goes on: a server at work does not notice that its client has hung up.
  await client.end();
}
