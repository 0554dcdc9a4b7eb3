import { spawn } from "node:child_process";
import { chownSync, existsSync, lstatSync, readFileSync, utimesSync, writeFileSync } from "node:fs";
import { mkdtemp, rm, symlink } from "node:fs/promises";
import { connect } from "node:net";
import os from "node:os";
import path from "node:path";
import pg from "pg";
import { afterAll, describe, expect, onTestFinished, test } from "vitest";
import { type EmbeddedPostgres, startEmbeddedPostgres } from "../src/index.ts";
import { isLinux, isRoot, isRunning, opener, until } from "./process.ts";

const folders: string[] = [];
afterAll(async () => {
  for (const folder of folders) await rm(folder, { recursive: true, force: true });
});

async function emptyFolder(): Promise<string> {
  const folder = await mkdtemp(path.join(os.tmpdir(), "embedded-postgres-test-"));
  folders.push(folder);
  return folder;
}

async function start(options: Parameters<typeof startEmbeddedPostgres>[0]): Promise<EmbeddedPostgres> {
  const server = await startEmbeddedPostgres({ durable: false, ...options });
  onTestFinished(() => server.stop());
  return server;
}

async function connected(url: string): Promise<pg.Client> {
  const client = new pg.Client(url);
  client.on("error", () => {}); // These tests stop servers under their clients.
  await client.connect();
  onTestFinished(() => client.end().catch(() => {}));
  return client;
}

async function ask<T>(url: string, sql: string): Promise<T> {
  const client = new pg.Client(url);
  client.on("error", () => {});
  await client.connect();
  try {
    const { rows } = await client.query<Record<string, T>>(sql);
    return Object.values(rows[0] ?? {})[0] as T;
  } finally {
    await client.end();
  }
}

describe("a server", () => {
  test("is a real Postgres 18 in UTF-8 and with room for two hundred connections", async () => {
    const { url } = await start({});
    expect(await ask(url, "show server_version")).toBe("18.4");
    expect(await ask(url, "show server_encoding")).toBe("UTF8");
    expect(await ask(url, "show max_connections")).toBe("200");
  });

  test("lets its client make tables, databases and roles", async () => {
    const { url } = await start({});
    for (const what of ["table t ()", "schema s", "role r", "extension pgcrypto"])
      await ask(url, `create ${what}`);
    await ask(url, "create database another");
    expect(await ask(url.replace(/holdfast$/, "another"), "select current_database()")).toBe("another");
  });

  test("waits for the disk unless it is told not to", async () => {
    const durable = await start({ durable: true });
    expect(
      await ask(
        durable.url,
        "select string_agg(setting, ' ') from pg_settings where name in ('fsync', 'full_page_writes', 'synchronous_commit')",
      ),
    ).toBe("on on on");
    const quick = await start({ durable: false });
    expect(await ask(quick.url, "show fsync")).toBe("off");
  });

  test("that does not wait for the disk is not given to one who asked for durability", async () => {
    const folder = await emptyFolder();
    await start({ folder, durable: false });
    await expect(startEmbeddedPostgres({ folder })).rejects.toMatchObject({
      code: "NO_EMBEDDED_SERVER",
      message: expect.stringContaining("durable: false"),
    });
  });

  test("of a folder that was not waited for before is made durable before it starts", async () => {
    const folder = await emptyFolder();
    await (await start({ folder, durable: false })).stop();
    expect(existsSync(path.join(folder, "postgres/unsynced"))).toBe(true);
    await start({ folder, durable: true });
    expect(existsSync(path.join(folder, "postgres/unsynced"))).toBe(false);
  });
});

describe("a folder", () => {
  test("keeps what was committed", async () => {
    const folder = await emptyFolder();
    const first = await start({ folder });
    await ask(first.url, "create table kept as select 7 as n");
    await first.stop();
    const second = await start({ folder });
    expect(second.pid).not.toBe(first.pid);
    expect(await ask(second.url, "select n from kept")).toBe(7);
    expect(second.folder).toBe(folder);
    expect(existsSync(path.join(folder, "postgres", "data", "PG_VERSION"))).toBe(true);
  });

  test("that was not named is removed when its server has stopped", async () => {
    const server = await start({});
    expect(existsSync(server.folder)).toBe(true);
    await server.stop();
    expect(existsSync(server.folder)).toBe(false);

    const left = await start({ lingerSeconds: 0 });
    await ask(left.url, "select 1");
    await until("the folder is gone", () => !existsSync(left.folder));
  });

  test("has one server, which a second opener joins", async () => {
    const folder = await emptyFolder();
    const first = await start({ folder });
    const second = await start({ folder });
    expect(second).toMatchObject({ pid: first.pid, url: first.url, folder });
  });

  test("has one server, however many processes open it at the same instant", async () => {
    const folder = await emptyFolder();
    const openers = Array.from({ length: 6 }, () => opener({ folder, durable: false }));
    const servers = await Promise.all(openers.map(({ server }) => server));
    for (const { child } of openers) child.kill("SIGKILL");
    expect(new Set(servers.map(({ pid, url }) => `${pid} ${url}`)).size).toBe(1);
    const { pid } = await start({ folder });
    expect(pid).toBe(servers[0]?.pid);
  });

  test("that belongs to somebody else, or is a link, is refused", async () => {
    const [folder, other] = [await emptyFolder(), await emptyFolder()];
    await symlink(other, path.join(folder, "postgres"));
    await expect(startEmbeddedPostgres({ folder })).rejects.toMatchObject({ code: "NO_EMBEDDED_SERVER" });
  });
});

describe("a process that opens a server", () => {
  test("ends by itself, and the server outlives it", async () => {
    const process = opener({ durable: false, lingerSeconds: 0 }, { leaves: true });
    const { url, pid, folder } = await process.server;
    expect(await process.exited).toBe(0);
    expect(await ask(url, "select 1")).toBe(1);
    await until("the server has stopped", () => !isRunning(pid));
    await until("the folder is gone", () => !existsSync(folder));
  });

  test("can stop it at once, whoever started it and is connected", async () => {
    const folder = await emptyFolder();
    const starter = opener({ folder, durable: false, lingerSeconds: 1000 });
    onTestFinished(() => void starter.child.kill("SIGKILL"));
    const { url, pid } = await starter.server;
    await connected(url);
    const server = await start({ folder });
    await server.stop();
    expect(isRunning(pid)).toBe(false);
    await server.stop(); // There is nothing left to stop, and that is no error.
  });
});

describe("the last connection", () => {
  test("keeps the server, and the server stops a moment after it has gone", async () => {
    const { url, pid } = await start({ lingerSeconds: 0 });
    const client = await connected(url);
    await client.query("select pg_sleep(1)");
    expect(isRunning(pid)).toBe(true);
    await client.end();
    const left = performance.now();
    await until("the server has stopped", () => !isRunning(pid));
    expect(performance.now() - left).toBeLessThan(2000);
  });

  test("may come a while after opening, even when the server lingers for no time at all", async () => {
    const folder = await emptyFolder();
    const { pid } = await start({ folder, lingerSeconds: 0 });
    const opened = performance.now();
    await until("the server has stopped", () => !isRunning(pid));
    expect(performance.now() - opened).toBeGreaterThan(4000);
  });

  test("that ends cleanly loses nothing", async () => {
    const folder = await emptyFolder();
    const first = await start({ folder, lingerSeconds: 0 });
    await ask(first.url, "create table kept as select 1");
    await until("the server has stopped", () => !isRunning(first.pid));
    await start({ folder });
    expect(readFileSync(path.join(folder, "postgres/server.log"), "utf8")).not.toContain(
      "not properly shut down",
    );
  });
});

describe("a postmaster.pid", () => {
  test("that a killed server left is no obstacle, and nothing committed is lost", async () => {
    const folder = await emptyFolder();
    const first = await start({ folder });
    await ask(first.url, "create table kept as select 7 as n");
    process.kill(first.pid, "SIGKILL");
    const second = await start({ folder });
    expect(second.pid).not.toBe(first.pid);
    expect(await ask(second.url, "select n from kept")).toBe(7);
  });

  test("whose number now belongs to another process of the same account is no obstacle", async () => {
    const folder = await emptyFolder();
    const first = await start({ folder });
    const file = path.join(folder, "postgres/data/postmaster.pid");
    const content = readFileSync(file, "utf8");
    await first.stop();
    const { uid, gid } = lstatSync(path.dirname(file));
    const stranger = spawn("sleep", ["1000"], { uid, gid, cwd: "/" });
    onTestFinished(() => void stranger.kill());
    writeFileSync(file, content.replace(/^\d+/, String(stranger.pid)));
    const second = await start({ folder });
    expect(await ask(second.url, "select 1")).toBe(1);
  });

  test("that is empty and old is no obstacle", async () => {
    const folder = await emptyFolder();
    await (await start({ folder })).stop();
    const file = path.join(folder, "postgres/data/postmaster.pid");
    writeFileSync(file, "");
    utimesSync(file, 0, 0);
    expect(await ask((await start({ folder })).url, "select 1")).toBe(1);
  });

  test("of a server that is shutting down is waited for", async () => {
    const folder = await emptyFolder();
    const first = await start({ folder, lingerSeconds: 0 });
    const client = await connected(first.url);
    process.kill(first.pid, "SIGTERM"); // Postgres then waits for its clients to leave, and lets nobody in.
    await until("the server turns clients away", () =>
      connected(first.url).then(
        () => false,
        () => true,
      ),
    );
    const second = start({ folder });
    await client.query("select pg_sleep(0.3)");
    expect(isRunning(first.pid)).toBe(true);
    await client.end();
    expect((await second).pid).not.toBe(first.pid);
  });
});

describe("another user of the machine", () => {
  test("does not get in without the password", async () => {
    const { url } = await start({});
    for (const user of ["holdfast", "postgres"]) {
      const guess = new URL(url);
      guess.username = user;
      guess.password = "guess";
      await expect(ask(guess.href, "select 1")).rejects.toMatchObject({ code: "28P01" });
    }
  });

  test("can read neither the password nor the data", async () => {
    const { folder, url } = await start({ folder: await emptyFolder() });
    const password = path.join(folder, "postgres/password");
    expect(lstatSync(password)).toMatchObject({ uid: process.geteuid?.() });
    expect(lstatSync(password).mode & 0o777).toBe(0o600);
    expect(lstatSync(path.join(folder, "postgres")).mode & 0o777).toBe(0o700);
    expect(url).toContain(readFileSync(password, "utf8").trim());
  });

  test("finds the server on no socket", async () => {
    const { url } = await start({});
    expect(await ask(url, "show unix_socket_directories")).toBe("");
  });

  test.runIf(isLinux)("finds the server on no other address", async () => {
    const { url } = await start({});
    const answer = await new Promise((answered) => {
      const socket = connect(Number(new URL(url).port), "127.0.0.2");
      socket.on("error", (error: NodeJS.ErrnoException) => answered(error.code));
      socket.on("connect", () => answered("connected"));
    });
    expect(answer).toBe("ECONNREFUSED");
  });

  test.skipIf(!isRoot)("cannot prepare a password for the one who opens", async () => {
    const folder = await emptyFolder();
    await (await start({ folder })).stop();
    chownSync(path.join(folder, "postgres/password"), 12345, 12345);
    await expect(startEmbeddedPostgres({ folder })).rejects.toMatchObject({ code: "NO_EMBEDDED_SERVER" });
  });
});

describe("where there is no server", () => {
  const without = async (change: () => void, restore: () => void) => {
    change();
    try {
      return await startEmbeddedPostgres({ folder: await emptyFolder() }).catch((error: unknown) => error);
    } finally {
      restore();
    }
  };

  test("for the processor, the error names it and says what to do", async () => {
    const { arch } = process;
    const set = (value: string) => Object.defineProperty(process, "arch", { value });
    expect(
      await without(
        () => set("mips"),
        () => set(arch),
      ),
    ).toMatchObject({
      name: "EmbeddedPostgresError",
      code: "NO_EMBEDDED_SERVER",
      message: expect.stringMatching(/linux-mips.*DATABASE_URL/s),
    });
  });

  test("for the C library, the error names that", async () => {
    const { report } = process;
    const set = (value: unknown) => Object.defineProperty(process, "report", { value, configurable: true });
    expect(
      await without(
        () => set({ getReport: () => ({ header: {} }) }),
        () => set(report),
      ),
    ).toMatchObject({
      code: "NO_EMBEDDED_SERVER",
      message: expect.stringMatching(/musl.*DATABASE_URL/s),
    });
  });

  test("because it fails to start, the error has its last words", async () => {
    const folder = await emptyFolder();
    await (await start({ folder })).stop();
    writeFileSync(path.join(folder, "postgres/data/PG_VERSION"), "14\n");
    await expect(startEmbeddedPostgres({ folder, durable: false })).rejects.toMatchObject({
      code: "NO_EMBEDDED_SERVER",
      message: expect.stringMatching(/incompatible with server.*DATABASE_URL/s),
    });
  });

  test("because its files cannot be made, the error has the last words of what made them", async () => {
    const { refusal } = opener({ folder: await emptyFolder() }, { fileBlocksMax: 64, leaves: true });
    expect(await refusal).toMatchObject({
      code: "NO_EMBEDDED_SERVER",
      message: expect.stringMatching(/initdb failed.*DATABASE_URL/s),
    });
  });

  test("because the folder cannot be made, the error says so", async () => {
    await expect(startEmbeddedPostgres({ folder: "/dev/null/x" })).rejects.toMatchObject({
      code: "NO_EMBEDDED_SERVER",
      message: expect.stringMatching(/ENOTDIR.*DATABASE_URL/s),
    });
  });
});
