import { mkdir, rm } from "node:fs/promises";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { type Binaries, findBinaries } from "./binaries.ts";
import { type Cluster, prepareCluster } from "./cluster.ts";
import { EmbeddedPostgresError } from "./error.ts";
import { type Launch, launchServer } from "./launch.ts";
import { type Account, serverAccount } from "./owner.ts";
import { findPostmaster, isPostmaster, removeStalePostmasterFile } from "./postmaster-file.ts";
import { makeTemporaryFolder } from "./temporary-folder.ts";
import { becomeWatch, LOCKS, OPENER } from "./watch.ts";

export interface EmbeddedPostgres {
  /** `postgres://…`, with the password. The role owns its database and may make others; it is no superuser. */
  readonly url: string;
  /** The folder as an absolute path: the one given, or the temporary one. */
  readonly folder: string;
  /** The server's first process. */
  readonly pid: number;
  /** Stops the server at once, for everybody who is connected, whoever started it. Resolves when it has gone. */
  stop(): Promise<void>;
}

const START_SECONDS_MAX = 60;
const STOP_SECONDS_MAX = 30;

/**
 * Gives a Postgres server: starts one on `folder`, or joins the one that runs there, however many processes ask at once.
 *
 * The server outlives the process that started it. It stops by itself once nobody has been connected for
 * `lingerSeconds`, and whatever is killed, none is left behind. Who has opened it has five seconds, or `lingerSeconds`
 * if that is more, to connect for the first time. Nothing is kept open in this process.
 *
 * @param options.folder The data lives in `<folder>/postgres`, and stays. Absent: a new temporary folder, deleted after
 *   the server has stopped.
 * @param options.durable What is committed survives the loss of power. Default true; false is faster, for tests.
 * @param options.lingerSeconds How long the server outlives its last connection. Default 5. Who starts it decides.
 * @throws EmbeddedPostgresError (`code` is `"NO_EMBEDDED_SERVER"`) if there is no server for this platform, if it cannot
 *   be started (with its last words), if the folder belongs to another user, or if `durable` is asked of a server that
 *   runs without.
 */
export async function startEmbeddedPostgres(
  options: { folder?: string; durable?: boolean; lingerSeconds?: number } = {},
): Promise<EmbeddedPostgres> {
  const { durable = true, lingerSeconds = 5 } = options;
  if (!(lingerSeconds >= 0 && lingerSeconds < Infinity))
    throw new RangeError("lingerSeconds must be a number from 0");

  const account = await serverAccount();
  const folder =
    options.folder === undefined ? await makeTemporaryFolder(account) : path.resolve(options.folder);
  const folderToRemove = options.folder === undefined ? folder : undefined;
  const want = { durable, lingerSeconds, folderToRemove };
  try {
    await mkdir(folder, { recursive: true });
    // Looked for only when needed: who joins a server runs no programs.
    let found: Promise<Binaries> | undefined;
    const binaries = () => (found ??= findBinaries(account));
    const cluster = await prepareCluster(folder, account, binaries);
    const { pid, port } = await openServer(cluster, account, binaries, want);
    return {
      url: `postgres://holdfast:${cluster.password}@127.0.0.1:${port}/holdfast`,
      folder,
      pid,
      async stop() {
        await stopServer(pid, cluster);
        if (folderToRemove !== undefined)
          await rm(folderToRemove, { recursive: true, force: true, maxRetries: 20 });
      },
    };
  } catch (error) {
    if (folderToRemove !== undefined)
      await rm(folderToRemove, { recursive: true, force: true, maxRetries: 20 });
    if (error instanceof EmbeddedPostgresError) throw error;
    throw new EmbeddedPostgresError(
      `Postgres could not be started in ${folder}: ${error instanceof Error ? error.message : String(error)}. ` +
        "Choose a folder this user can write to, or set DATABASE_URL.",
      { cause: error },
    );
  }
}

interface Wish {
  readonly durable: boolean;
  readonly lingerSeconds: number;
  readonly folderToRemove: string | undefined;
}

interface Server {
  readonly pid: number;
  readonly port: number;
}

/** Looks whether a server runs, starts one if not, and does so again until it has got through to one. */
async function openServer(
  cluster: Cluster,
  account: Account,
  binaries: () => Promise<Binaries>,
  want: Wish,
): Promise<Server> {
  const patience = performance.now() + START_SECONDS_MAX * 1000;
  let launch: Launch | undefined;
  let problem = "it did not become ready";
  try {
    while (performance.now() < patience) {
      const { pid, port, ready } = (await findPostmaster(cluster.data)) ?? {};
      if (pid === undefined && launch === undefined) {
        await removeStalePostmasterFile(cluster.data);
        launch = await launchServer(cluster, await binaries(), account, want);
      } else if (pid !== undefined && port !== undefined && ready === true) {
        try {
          if (await enter({ pid, port }, cluster.password, want)) {
            if (launch?.pid === pid) await launch.handOver();
            return { pid, port };
          }
        } catch (error) {
          if (error instanceof EmbeddedPostgresError) throw error;
          problem = String(error); // It was on its way down, most likely.
        }
      }
      const end = await launch?.ended();
      if (end instanceof EmbeddedPostgresError) throw end;
      if (end !== undefined) launch = undefined;
      await sleep(10);
    }
  } finally {
    await launch?.abandon();
  }
  throw new EmbeddedPostgresError(
    `Postgres in ${cluster.data} could not be reached within ${START_SECONDS_MAX} seconds: ${problem}. ` +
      `Read ${cluster.home}/server.log, or set DATABASE_URL.`,
  );
}

/** Signs in as an opener, so that the server stays for a while, and sees to its having a watch. False: it is stopping. */
async function enter({ pid, port }: Server, password: string, want: Wish): Promise<boolean> {
  const client = new pg.Client({
    host: "127.0.0.1",
    port,
    user: "postgres",
    password,
    database: "postgres",
    application_name: OPENER,
    ssl: false,
    connectionTimeoutMillis: 5000,
  });
  client.on("error", () => {}); // The query under way fails with it.
  try {
    await client.connect();
    const { rows } = await client.query<{ open: boolean; durable: boolean }>(ENTER);
    if (rows[0]?.open !== true) return false;
    if (want.durable && !rows[0].durable) {
      throw new EmbeddedPostgresError(
        "The server that runs on this folder was started with `durable: false`. " +
          "Open it with `durable: false` too, or wait until it has stopped.",
      );
    }
    const watch = await client.query<{ missing: boolean }>(WATCH_MISSING);
    if (watch.rows[0]?.missing === true) await becomeWatch(client, { pid, ...want });
    return true;
  } finally {
    await client.end().catch(() => {});
  }
}

const ENTER = /* sql */ `
select pg_try_advisory_lock_shared(${LOCKS.stopping}) as open,
       nextval('public.openings'),
       current_setting('fsync')::bool as durable`;

const WATCH_MISSING = /* sql */ `select pg_try_advisory_lock(${LOCKS.watched}) as missing`;

async function stopServer(pid: number, { data, home }: Cluster): Promise<void> {
  const patience = performance.now() + STOP_SECONDS_MAX * 1000;
  if (await isPostmaster(pid, data)) {
    try {
      process.kill(pid, "SIGINT"); // A fast shutdown: sessions are ended, and what is committed is written.
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
    }
  }
  while (await isPostmaster(pid, data)) {
    if (performance.now() > patience) {
      throw new EmbeddedPostgresError(
        `Postgres (process ${pid}) was told to stop and has not within ${STOP_SECONDS_MAX} seconds. Read ${home}/server.log.`,
      );
    }
    await sleep(10);
  }
}
