import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "./own-server.ts";

const PLACES = ["/usr/sbin/pgbouncer", "/usr/bin/pgbouncer", "/usr/local/bin/pgbouncer"];
/** PgBouncer, where it is installed. */
export const PGBOUNCER = PLACES.find((place) => existsSync(place));

export interface Pooler {
  /** The database's address, through the pooler. */
  readonly url: string;
  /** Ends it at once, with every connection, and starts it again. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

/** A PgBouncer in transaction mode in front of a database, with three connections to it. */
export async function startPooler(database: string): Promise<Pooler> {
  const target = new URL(database);
  const name = target.pathname.slice(1);
  const folder = await mkdtemp(join(tmpdir(), "holdfast-pooler-"));
  await chmod(folder, 0o755);
  const port = await freePort();
  const user = decodeURIComponent(target.username);
  const password = target.password ? ` password=${decodeURIComponent(target.password)}` : "";
  const settings = [
    "[databases]",
    `${name} = host=${target.hostname} port=${target.port || 5432} dbname=${name} user=${user}${password}`,
    "[pgbouncer]",
    "listen_addr = 127.0.0.1",
    `listen_port = ${port}`,
    "unix_socket_dir =",
    "auth_type = any",
    "pool_mode = transaction",
    "default_pool_size = 3",
    "max_client_conn = 200",
  ];
  const file = join(folder, "pgbouncer.ini");
  await writeFile(file, settings.join("\n"));
  const bouncer = PGBOUNCER ?? "pgbouncer";
  // It refuses to be run by root.
  const nobody = process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : {};
  const start = async (): Promise<ChildProcess> => {
    const started = spawn(bouncer, ["-q", file], { ...nobody, stdio: "ignore" });
    while (!(await listens(port))) {
      if (started.exitCode !== null) throw new Error(`PgBouncer ended with ${started.exitCode}`);
    }
    return started;
  };
  const end = async () => {
    const gone = once(running, "exit");
    running.kill("SIGKILL");
    await gone;
  };
  let running = await start();

  const url = new URL(database);
  Object.assign(url, { hostname: "127.0.0.1", port: String(port) });
  return {
    url: url.href,
    async restart() {
      await end();
      running = await start();
    },
    async stop() {
      await end();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Does anybody take a connection at this port? */
function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}
