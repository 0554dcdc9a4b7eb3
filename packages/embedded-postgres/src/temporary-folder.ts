import { chown, lstat, mkdtemp, readdir, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { type Account, isReachable } from "./owner.ts";
import { findPostmaster } from "./postmaster-file.ts";

const PREFIX = "holdfast-temporary-postgres-";

/**
 * A new folder whose server removes it when it stops. That is done by the server's account, so the folder must belong to
 * it and lie where it gets to.
 */
export async function makeTemporaryFolder(account: Account): Promise<string> {
  const parent = !account.dropped || (await isReachable(os.tmpdir())) ? os.tmpdir() : "/tmp";
  await removeLeftFolders(parent, account);
  const folder = await mkdtemp(path.join(parent, PREFIX));
  if (account.dropped) await chown(folder, account.uid, account.gid);
  return folder;
}

/** Removes what is left of a process that was killed before it had started its server, or of a loss of power. */
async function removeLeftFolders(parent: string, account: Account): Promise<void> {
  for (const name of await readdir(parent)) {
    if (!name.startsWith(PREFIX)) continue;
    const folder = path.join(parent, name);
    const found = await lstat(folder).catch(() => undefined);
    if (found === undefined || !found.isDirectory() || found.uid !== account.uid) continue;
    // A folder that young may be one whose server is just being started.
    if (Date.now() - found.mtimeMs < START_MS_MAX) continue;
    if ((await findPostmaster(path.join(folder, "postgres", "data"))) !== undefined) continue;
    await rm(folder, { recursive: true, force: true }).catch(() => {});
  }
}

const START_MS_MAX = 600_000;
