import { existsSync, readdirSync, readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import pg from "pg";
import { describe, expect, onTestFinished, test } from "vitest";
import { isLinux, type Opener, opener, type Process, processesIn, until } from "./process.ts";

// Every process of a server works in its folder, so /proc tells whether any is left.
describe.skipIf(!isLinux)("no process is left behind", () => {
  async function emptyFolder(): Promise<string> {
    const folder = await mkdtemp(path.join(os.tmpdir(), "embedded-postgres-test-"));
    onTestFinished(() => rm(folder, { recursive: true, force: true, maxRetries: 20 }));
    return folder;
  }

  function open(options: Parameters<typeof opener>[0]): Opener {
    const process = opener({ durable: false, lingerSeconds: 0, ...options });
    onTestFinished(() => void process.child.kill("SIGKILL"));
    return process;
  }

  const kill = (...processes: Pick<Process, "pid">[]) => {
    for (const { pid } of processes) process.kill(pid, "SIGKILL");
  };
  const watchOf = (folder: string) =>
    must(processesIn(folder).find(({ command }) => / COPY\s*$/.test(command)));
  const shellOf = (folder: string) =>
    must(processesIn(folder).find(({ parent }) => parent === watchOf(folder).pid));
  /** The processes left in the folder, once there are none or no more patience. */
  const left = async (folder: string) => {
    await until("every process is gone", () => processesIn(folder).length === 0).catch(() => {});
    return processesIn(folder);
  };

  async function connected(url: string): Promise<pg.Client> {
    const client = new pg.Client(url);
    client.on("error", () => {});
    await client.connect();
    onTestFinished(() => client.end().catch(() => {}));
    return client;
  }

  test("by a starter that is killed, whose server stays for those who are connected", async () => {
    const { server, child, exited } = open({});
    const { url, folder } = await server;
    const client = await connected(url);
    child.kill("SIGKILL");
    await exited;
    await client.query("select pg_sleep(1)");
    await client.end();
    expect(await left(folder)).toEqual([]);
    await until("the folder is gone", () => !existsSync(folder));
  });

  // From 30 ms, when Node has just started, to 900 ms, when the server has.
  test.each([30, 150, 250, 350, 450, 550, 650, 900])(
    "by a starter that is killed %i ms after its own start",
    async (milliseconds) => {
      const folder = await emptyFolder();
      const { child, exited } = open({ folder });
      await new Promise((go) => setTimeout(go, milliseconds)); // The moment is what is tested.
      child.kill("SIGKILL");
      await exited;
      const { url, pid } = await open({ folder }).server;
      await (await connected(url)).end();
      expect(processesIn(folder).map((process) => process.pid)).toContain(pid);
      expect(await left(folder)).toEqual([]);
      expect(readdirSync(folder)).toEqual(["postgres"]);
    },
  );

  // The server is ready, and its starter has not got to handing it over.
  test.each([
    ["by a starter that is killed before it has handed its server over", false],
    ["by a starter that is killed before that, together with the shell that waits for its end", true],
  ])("%s", async (_name, together) => {
    for (;;) {
      const folder = await emptyFolder();
      const { child } = open({ folder });
      const isServer = ({ command }: Process) => /bin\/postgres -D .* -p \d+/.test(command);
      const { pid } = await until("there is a server", () => processesIn(folder).find(isServer));
      child.kill("SIGSTOP");
      const file = path.join(folder, "postgres/data/postmaster.pid");
      await until(
        "the server is ready",
        () => existsSync(file) && readFileSync(file, "utf8").includes("ready"),
      );
      const isShell = ({ command, parent }: Process) => parent === pid && command.includes("last_rites");
      const shell = processesIn(folder).find(isShell);
      child.kill("SIGKILL");
      if (shell !== undefined && together) kill(shell);
      expect(await left(folder)).toEqual([]);
      if (shell !== undefined) return; // Else it was stopped too late: try again.
    }
  });

  test("by a server whose first process is killed", async () => {
    const { server } = open({});
    const { pid, folder, url } = await server;
    await connected(url);
    kill({ pid });
    expect(await left(folder)).toEqual([]);
    await until("the folder is gone", () => !existsSync(folder));
  });

  test("by a server whose watch is killed", async () => {
    const { server } = open({ lingerSeconds: 1000 });
    const { folder } = await server;
    kill(watchOf(folder));
    expect(await left(folder)).toEqual([]);
    await until("the folder is gone", () => !existsSync(folder));
  });

  test("by a server whose watch is killed together with its shell, the starter and a client's session", async () => {
    const { server, child } = open({ lingerSeconds: 1000, folder: await emptyFolder() });
    const { folder, url } = await server;
    const { rows } = await (await connected(url)).query<{ pid: number }>("select pg_backend_pid() as pid");
    child.kill("SIGKILL");
    kill(shellOf(folder), watchOf(folder), must(rows[0]));
    expect(await left(folder)).toEqual([]);
  });

  test.each(["pg_terminate_backend", "pg_cancel_backend"])(
    "by a server whose watch is ended with %s",
    async (end) => {
      const { server } = open({ lingerSeconds: 1000 });
      const { folder, url } = await server;
      const client = await connected(url.replace("holdfast:", "postgres:"));
      await client.query(
        `select ${end}(pid) from pg_stat_activity where application_name = 'holdfast watch'`,
      );
      expect(await left(folder)).toEqual([]);
      await until("the folder is gone", () => !existsSync(folder));
    },
  );

  test("by a server whose shell is killed: it stops when nobody is connected", async () => {
    const { server } = open({ folder: await emptyFolder() });
    const { folder, url } = await server;
    const client = await connected(url);
    kill(shellOf(folder));
    await client.query("select pg_sleep(1)");
    expect(processesIn(folder)).not.toEqual([]);
    await client.end();
    expect(await left(folder)).toEqual([]);
  });

  test("by a client who ends every session it may", async () => {
    const { server } = open({});
    const { folder, url } = await server;
    const client = await connected(url);
    const everybody =
      "select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid() and datname = current_database()";
    await client.query(everybody);
    await expect(
      client.query(
        "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'holdfast watch'",
      ),
    ).rejects.toMatchObject({ code: "42501" });
    await client.end();
    expect(await left(folder)).toEqual([]);
  });
});

function must<T>(found: T | undefined): T {
  if (found === undefined) throw new Error("It is not there.");
  return found;
}
