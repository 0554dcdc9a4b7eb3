import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { chown, mkdir, mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import pg from "pg";

const run = promisify(execFile);

/** Where Debian puts a Postgres. It is run as somebody else than root, which it refuses to be run by. */
export const BIN = "/usr/lib/postgresql/15/bin";
const NOBODY = { uid: 65534, gid: 65534 };

export interface OwnServer {
  /** The same through all of its lives. */
  readonly url: string;
  restart(): Promise<void>;
  /** Kills one of its processes, upon which it ends all others and recovers. */
  crash(): Promise<void>;
  /** Leaves no room on the disk of its data, until it is freed again. */
  fillDisk(): Promise<void>;
  freeDisk(): Promise<void>;
  stop(): Promise<void>;
}

/** A Postgres of the test's own, to be restarted at will; its data, though not its log, on a small disk if so asked. */
export async function startOwnServer({ diskMB }: { diskMB?: number } = {}): Promise<OwnServer> {
  const folder = await mkdtemp(join(tmpdir(), "holdfast-faults-"));
  await chown(folder, NOBODY.uid, NOBODY.gid);
  const disk = join(folder, "disk");
  await mkdir(disk);
  if (diskMB !== undefined) await run("mount", ["-t", "tmpfs", "-o", `size=${diskMB}m`, "tmpfs", disk]);
  await chown(disk, NOBODY.uid, NOBODY.gid);
  const data = join(disk, "data");
  const log = join(folder, "wal");
  await run(`${BIN}/initdb`, ["-D", data, "-X", log, "-U", "postgres", "-A", "trust", "--no-sync"], NOBODY);
  const port = await freePort();
  const url = `postgres://postgres@127.0.0.1:${port}/postgres`;
  const settings = ["-p", String(port), "-k", folder, "-c", "fsync=off", "-c", "listen_addresses=127.0.0.1"];
  const start = async () => {
    const server = spawn(`${BIN}/postgres`, ["-D", data, ...settings], { ...NOBODY, stdio: "ignore" });
    await answers(url);
    return server;
  };
  let server = await start();
  const end = async () => {
    const gone = once(server, "exit");
    server.kill("SIGINT"); // "fast": it ends its sessions
    await gone;
  };

  return {
    url,
    async restart() {
      await end();
      server = await start();
    },
    async crash() {
      const client = new pg.Client({ connectionString: url });
      client.on("error", () => {});
      await client.connect();
      const { rows } = await client.query("select pg_backend_pid() as pid");
      process.kill(Number(rows[0]?.pid), "SIGKILL");
      await client.end().catch(() => {});
      await answers(url);
    },
    async fillDisk() {
      // Whatever is left, but for a page at most.
      await run("dd", ["if=/dev/zero", `of=${join(disk, "filler")}`, "bs=4k"]).catch(() => {});
    },
    freeDisk: () => rm(join(disk, "filler")),
    async stop() {
      await end();
      if (diskMB !== undefined) await run("umount", [disk]);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function answers(url: string): Promise<void> {
  for (;;) {
    const client = new pg.Client({ connectionString: url });
    client.on("error", () => {});
    try {
      await client.connect();
      await client.query("select 1");
      return;
    } catch {
      await new Promise((resolve) => setImmediate(resolve));
    } finally {
      await client.end().catch(() => {});
    }
  }
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("there is no free port");
  return address.port;
}
