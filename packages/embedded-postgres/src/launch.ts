import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { constants } from "node:fs";
import { open, readFile, rename, rm } from "node:fs/promises";
import { type AddressInfo, createServer, type Socket } from "node:net";
import path from "node:path";
import type { Binaries } from "./binaries.ts";
import { type Cluster, dataArgument, markUnsynced, runOptions, syncCluster } from "./cluster.ts";
import { EmbeddedPostgresError } from "./error.ts";
import { LAST_RITES } from "./last-rites.ts";
import type { Account } from "./owner.ts";

/** A server on its way up. Until it is handed to its watch, it stops if this process ends. */
export interface Launch {
  readonly pid: number | undefined;
  /** Undefined while it runs; else why it ended: another server had the folder or the port, or it failed. */
  ended(): Promise<"in the way" | EmbeddedPostgresError | undefined>;
  /** The server has a watch: it may outlive this process. */
  handOver(): Promise<void>;
  /** Stops the server, unless it was handed over. */
  abandon(): Promise<void>;
}

/**
 * The shell that becomes the server. Its child waits for this process to say `watched` or to end. Postgres takes it for a
 * child of its own, and by `restart_after_crash = off` stops if it is killed: so there is no moment in which killing
 * this process and that child leaves a server behind.
 */
const BECOME_SERVER = `${LAST_RITES}
folder=$1; shift
last_rites $$ "$folder" <&3 3<&- >/dev/null 2>&1 &
exec "$@" 3<&-
`;

export async function launchServer(
  cluster: Cluster,
  binaries: Binaries,
  account: Account,
  { durable, folderToRemove }: { durable: boolean; folderToRemove: string | undefined },
): Promise<Launch> {
  if (durable) await syncCluster(cluster, binaries, account);
  else await markUnsynced(cluster);

  const log = path.join(cluster.home, `server.${randomBytes(4).toString("hex")}.log`);
  const writeNew = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_APPEND;
  const output = await open(log, writeNew, 0o600);
  const args = [binaries.postgres, "-D", dataArgument(cluster.data, account), "-p", String(await freePort())];
  const child = spawn(
    "/bin/sh",
    ["-c", BECOME_SERVER, "sh", folderToRemove ?? "", ...args, ...settings(durable)],
    {
      ...runOptions(cluster.data, account),
      detached: true,
      stdio: ["ignore", output.fd, output.fd, "pipe"],
    },
  );
  let end: string | undefined;
  child.on("error", (error) => {
    end = error.message;
  });
  child.on("exit", (code, signal) => {
    end = `it ended with ${signal ?? code}`;
  });
  await output.close();

  const line = child.stdio[3] as Socket | null;
  line?.on("error", () => {});
  line?.unref();
  child.unref();

  return {
    pid: child.pid,
    async ended() {
      if (end === undefined) return undefined;
      const said = (await readFile(log, "utf8").catch(() => "")).trim();
      await rm(log, { force: true });
      if (IN_THE_WAY.test(said)) return "in the way";
      return new EmbeddedPostgresError(
        `Postgres did not start in ${cluster.data}: ${end}. It said:\n${said.split("\n").slice(-20).join("\n")}\n` +
          "See to what it says, choose another folder, or set DATABASE_URL.",
      );
    },
    async handOver() {
      await new Promise<void>((said) => line?.ref().end("watched\n", said));
      // Each start writes a file of its own, for of several at once all but one fail, and must not spoil the log of that one.
      await rename(log, path.join(cluster.home, "server.log")).catch(() => {});
    },
    async abandon() {
      line?.destroy();
      await rm(log, { force: true });
    },
  };
}

/** Another server has the folder, or its last processes are still leaving it, or somebody took the port just now. */
const IN_THE_WAY =
  /lock file ".*" already exists|pre-existing shared memory block|could not bind|could not create any TCP/;

function settings(durable: boolean): string[] {
  const set = {
    listen_addresses: "127.0.0.1",
    unix_socket_directories: "",
    max_connections: "200",
    // A small server: few buffers, no workers that wait for work nobody gives them.
    shared_buffers: "32MB",
    max_wal_size: "256MB",
    io_method: "sync",
    max_logical_replication_workers: "0",
    jit: "off",
    // Part of the promise that nothing is left behind; see `becomeWatch`.
    restart_after_crash: "off",
    // Other people's statements do not belong into a log that nobody rotates.
    log_min_error_statement: "panic",
    // Commits still reach the operating system before they are confirmed, so only a loss of power can lose any.
    ...(durable ? {} : { fsync: "off", full_page_writes: "off" }),
  };
  return Object.entries(set).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
}

async function freePort(): Promise<number> {
  const server = createServer();
  return new Promise((free, failed) => {
    server.on("error", failed);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => free(port));
    });
  });
}
