import { constants } from "node:fs";
import { chmod, lstat, mkdir, open, readFile, stat } from "node:fs/promises";
import path from "node:path";
import { EmbeddedPostgresError } from "./error.ts";

/** The account the server runs under. Postgres refuses to run as root, so for root it is somebody else. */
export interface Account {
  readonly uid: number;
  readonly gid: number;
  /** True if this process is root and has to give its rights up to become the account. */
  readonly dropped: boolean;
}

export async function serverAccount(): Promise<Account> {
  const [uid, gid] = [process.geteuid?.() ?? 0, process.getegid?.() ?? 0];
  if (uid !== 0) return { uid, gid, dropped: false };

  // An account of the system's own, and not just a free number: initdb fails for a uid that has no name.
  for (const line of (await readFile("/etc/passwd", "utf8").catch(() => "")).split("\n")) {
    const [name, , uid, gid] = line.split(":");
    if (name === "nobody") return { uid: Number(uid), gid: Number(gid), dropped: true };
  }
  throw new EmbeddedPostgresError(
    "Postgres does not run as root, and this system has no account `nobody` to run it as. " +
      "Run as an ordinary user, or set DATABASE_URL to a Postgres of your own.",
  );
}

/**
 * Makes the directory unless it is there, and answers whether it is there and ours alone: a real directory, not a link, owned by
 * one of `uids`, writable by nobody else. A name in /tmp can be foreseen, so somebody may have been there first.
 */
export async function claimDirectory(
  directory: string,
  uids: readonly number[],
  mode: number,
): Promise<boolean> {
  await mkdir(path.dirname(directory), { recursive: true }).catch(() => {});
  try {
    await mkdir(directory);
    await chmod(directory, mode); // mkdir's own mode is cut by the umask.
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") return false;
  }
  return (await isOwnDirectory(directory, uids)) && (await isSafeParent(path.dirname(directory)));
}

export async function isOwnDirectory(directory: string, uids: readonly number[]): Promise<boolean> {
  const found = await lstat(directory).catch(() => undefined);
  return found?.isDirectory() === true && uids.includes(found.uid | 0) && (found.mode & 0o022) === 0;
}

/** Where others may write without the sticky bit, they may also rename what is ours. */
async function isSafeParent(directory: string): Promise<boolean> {
  const { mode } = await stat(directory);
  return (mode & 0o002) === 0 || (mode & 0o1000) !== 0;
}

/** Reads a secret, and refuses one that anybody but this user may have written or read. */
export async function readSecret(file: string): Promise<string> {
  const handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    const { uid, mode } = await handle.stat();
    if (uid !== process.geteuid?.() || (mode & 0o077) !== 0) {
      throw new EmbeddedPostgresError(
        `${file} must belong to the user who opens the folder, with mode 0600. ` +
          "If the folder was made by another user, run as that user or choose another folder.",
      );
    }
    return (await handle.readFile("utf8")).trim();
  } finally {
    await handle.close();
  }
}

/** Whether an account that is neither the owner nor in the group gets through to `target`. */
export async function isReachable(target: string): Promise<boolean> {
  for (let at = path.resolve(target); ; at = path.dirname(at)) {
    if (((await stat(at)).mode & 0o001) === 0) return false;
    if (at === path.dirname(at)) return true;
  }
}
