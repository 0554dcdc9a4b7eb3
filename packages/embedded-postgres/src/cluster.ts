import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chown, lstat, mkdir, open, readdir, rename, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Binaries } from "./binaries.ts";
import { EmbeddedPostgresError } from "./error.ts";
import { type Account, isOwnDirectory, readSecret } from "./owner.ts";

/**
 * `<folder>/postgres`, which belongs to the server's account with mode 0700:
 *
 *     data/         the server's data directory
 *     password      readable by the user who opens the folder, not by the server
 *     server.log    what the server said since its last start
 *     unsynced      there while it is not certain that the disk has what the server wrote
 */
export interface Cluster {
  readonly folder: string;
  readonly home: string;
  readonly data: string;
  readonly password: string;
}

/** The folder's cluster, made if there is none. Any number of processes may do this at once; one is made. */
export async function prepareCluster(
  folder: string,
  account: Account,
  binaries: () => Promise<Binaries>,
): Promise<Cluster> {
  const home = path.join(folder, "postgres");
  if (!(await exists(home))) await makeCluster(folder, home, await binaries(), account);

  if (!(await isOwnDirectory(home, [account.uid]))) {
    throw new EmbeddedPostgresError(
      `${home} is not a directory of uid ${account.uid}${account.dropped ? " (which root runs Postgres as)" : ""}, ` +
        "or others may write to it. Open it as the user who made it, or choose another folder.",
    );
  }
  return {
    folder,
    home,
    data: path.join(home, "data"),
    password: await readSecret(path.join(home, "password")),
  };
}

/** How the server's programs are run: as the account, in `data`, with an environment that no PG* variable gets into. */
export function runOptions(data: string, { uid, gid, dropped }: Account) {
  // The time zone is set because initdb would otherwise find out the system's by reading all there are.
  return {
    cwd: data,
    env: { LC_ALL: "C", TZ: "UTC", PATH: "/usr/bin:/bin" },
    ...(dropped ? { uid, gid } : {}),
  };
}

/**
 * The data directory as the server's programs are told it. Parents that only root can search (/root, say) would stop the
 * account on the way there. But Node goes into `cwd` before it gives root's rights up, and this name leads from there.
 */
export function dataArgument(data: string, { dropped }: Account): string {
  return dropped && process.platform === "linux" ? "/proc/self/cwd" : data;
}

/** Makes sure that what was written without waiting for the disk has reached it. */
export async function syncCluster(
  { home, data }: Cluster,
  binaries: Binaries,
  account: Account,
): Promise<void> {
  const unsynced = path.join(home, "unsynced");
  if (!(await exists(unsynced))) return;
  await run(binaries.initdb, ["--sync-only", "-D", dataArgument(data, account)], runOptions(data, account));
  for (const directory of [home, path.dirname(home)]) await syncDirectory(directory);
  await rm(unsynced, { force: true });
}

export async function markUnsynced({ home }: Cluster): Promise<void> {
  await writeFile(path.join(home, "unsynced"), "", { mode: 0o600 });
}

async function makeCluster(
  folder: string,
  home: string,
  binaries: Binaries,
  account: Account,
): Promise<void> {
  const unfinished = path.join(folder, `postgres.new-${process.pid}-${randomBytes(4).toString("hex")}`);
  try {
    await mkdir(unfinished, { mode: 0o700 });
    if (await isBeingMade(folder, home, path.basename(unfinished))) return;
    await fillCluster(unfinished, binaries, account);
    await rename(unfinished, home);
    for (const { name, alive } of await unfinishedClusters(folder)) {
      // One whose maker was killed. An initdb of his may still be writing there for a moment.
      if (!alive) await rm(path.join(folder, name), { recursive: true, maxRetries: 5 }).catch(() => {});
    }
  } catch (error) {
    // A rename onto a finished one fails, and that one is as good.
    if (!(await exists(home))) throw error;
  } finally {
    await rm(unfinished, { recursive: true, force: true });
  }
}

/**
 * Of several that make the folder's cluster at once, lets all but one wait for that one. It only saves work: if the one
 * dies, or nobody sees anybody, each makes a cluster of its own and the first to rename wins.
 */
async function isBeingMade(folder: string, home: string, ours: string): Promise<boolean> {
  const patience = Date.now() + 10_000;
  while (Date.now() < patience) {
    if (await exists(home)) return true;
    const unfinished = await unfinishedClusters(folder);
    if (!unfinished.some(({ name, alive }) => alive && name < ours)) return false;
    await sleep(20);
  }
  return false;
}

async function unfinishedClusters(folder: string): Promise<{ name: string; alive: boolean }[]> {
  const names = (await readdir(folder)).filter((name) => name.startsWith("postgres.new-"));
  return names.map((name) => ({ name, alive: isAlive(Number(name.split("-")[1])) }));
}

async function fillCluster(home: string, binaries: Binaries, account: Account): Promise<void> {
  const data = path.join(home, "data");
  const password = randomBytes(24).toString("hex");
  await writeFile(path.join(home, "password"), `${password}\n`, { mode: 0o600, flag: "wx" });
  await writeFile(path.join(home, "unsynced"), "", { mode: 0o600, flag: "wx" });
  await mkdir(data, { mode: 0o700 });
  if (account.dropped) {
    await chown(data, account.uid, account.gid);
    await chown(home, account.uid, account.gid);
  }

  const options = runOptions(data, account);
  const directory = dataArgument(data, account);
  // `trust` is what initdb writes and not what the server reads: the rules are replaced before it ever listens.
  // Nothing waits for the disk here; `unsynced` sees to it that a durable server does before it starts.
  const initdb = ["-D", directory, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"];
  await run(binaries.initdb, initdb, options);
  await run("/bin/sh", ["-c", "cat > pg_hba.conf"], options, "host all all 127.0.0.1/32 scram-sha-256\n");
  await run(binaries.postgres, ["--single", "-F", "-D", directory, "postgres"], options, setup(password));
}

/**
 * Clients get a database and a role of their own. The role is no superuser, so that a test which terminates every session
 * does not take the watch with it; and the watch's long transaction, being in another database, holds up no vacuum.
 */
function setup(password: string): string {
  return [
    /* sql */ `alter role postgres password '${password}'`,
    /* sql */ `create role holdfast login createdb createrole password '${password}'`,
    /* sql */ `grant pg_monitor, pg_signal_backend, pg_checkpoint to holdfast`,
    /* sql */ `create database holdfast owner holdfast`,
    /* sql */ `create sequence openings`,
    "",
  ].join(";\n");
}

async function run(
  program: string,
  args: string[],
  options: ReturnType<typeof runOptions>,
  input = "",
): Promise<void> {
  await new Promise<void>((done, failed) => {
    const child = execFile(program, args, options, (error, stdout, stderr) => {
      // The single-user server ends with success whatever its statements did.
      if (error === null && !/^\S+ \S+ UTC \[\d+\] (ERROR|FATAL)/m.test(stderr)) return done();
      const said = `${stdout}\n${stderr}`.trim().split("\n").slice(-20).join("\n");
      failed(
        new EmbeddedPostgresError(
          `Postgres could not make its data directory in ${options.cwd}: ${path.basename(program)} failed` +
            `${error === null ? "" : ` (${error.code ?? error.signal})`}. It said:\n${said}\n` +
            "See to what it says (space, rights, memory), or set DATABASE_URL.",
        ),
      );
    });
    child.stdin?.on("error", () => {}); // A program that has already failed reads nothing.
    child.stdin?.end(input);
  });
}

async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function exists(file: string): Promise<boolean> {
  return (await lstat(file).catch(() => undefined)) !== undefined;
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
