import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { link, readFile, readlink, realpath, rename, rm, stat } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";

/** What a running server says of itself in `postmaster.pid`: its process, and once it listens, its port and state. */
export interface Postmaster {
  readonly pid: number;
  readonly port: number | undefined;
  readonly ready: boolean;
}

/** The server that runs on this data directory, if one does. A file that was left behind is none. */
export async function findPostmaster(data: string): Promise<Postmaster | undefined> {
  const content = await readFile(postmasterFile(data), "utf8").catch(() => "");
  const lines = content.split("\n");
  const [pid, port] = [Number(lines[0]), Number(lines[3])];
  if (!(await isPostmaster(pid, data))) return undefined;
  return { pid, port: port > 0 ? port : undefined, ready: lines[7]?.trim() === "ready" };
}

/**
 * Whether the process is the server of this data directory. That a process has the number is not enough: after a crash
 * and a reboot the number belongs to somebody else.
 */
export async function isPostmaster(pid: number, data: string): Promise<boolean> {
  if (!Number.isSafeInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return false;
  }
  if (process.platform !== "linux") {
    const ps = await promisify(execFile)("ps", ["-o", "command=", "-p", String(pid)]).catch(() => ({
      stdout: "",
    }));
    return ps.stdout.includes(data);
  }
  // A server works in its data directory. What may not be read is not ours, and a zombie has no directory any more.
  const directory = await readlink(`/proc/${pid}/cwd`).catch(() => undefined);
  return directory !== undefined && directory === (await realpath(data).catch(() => undefined));
}

const EMPTY_MS_MAX = 10_000;

/**
 * Takes a left-behind `postmaster.pid` away. Postgres does so itself, unless its number now belongs to another process of
 * the same user; then it would refuse to start until that process has ended.
 */
export async function removeStalePostmasterFile(data: string): Promise<void> {
  const [file, aside] = [postmasterFile(data), `${postmasterFile(data)}.${randomBytes(4).toString("hex")}`];
  const found = await stat(file).catch(() => undefined);
  // Without content it is that of a server which is just about to write it, if it is not an old one.
  if (found === undefined || (found.size === 0 && Date.now() - found.mtimeMs < EMPTY_MS_MAX)) return;
  await rename(file, aside).catch(() => {});
  // Between looking and renaming another process may have started a server, whose file this then is: put it back.
  const pid = Number((await readFile(aside, "utf8").catch(() => "")).split("\n")[0]);
  if (await isPostmaster(pid, data)) await link(aside, file).catch(() => {});
  await rm(aside, { force: true });
}

function postmasterFile(data: string): string {
  return path.join(data, "postmaster.pid");
}
