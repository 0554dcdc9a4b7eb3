import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

/** A process of this package's source that runs a file beside this one. */
export function child(file: string, ...args: readonly string[]): ChildProcess {
  const path = fileURLToPath(new URL(file, import.meta.url));
  return spawn(process.execPath, ["--conditions=@holdfast/source", path, ...args], {
    stdio: ["ignore", "pipe", "pipe"],
  });
}

/** Resolves when the process has ended, with its exit code and what it complained of. */
export async function ended(process: ChildProcess): Promise<{ code: number | null; complaint: string }> {
  let complaint = "";
  process.stderr?.on("data", (chunk) => {
    complaint += chunk;
  });
  const [code] = await once(process, "close");
  return { code, complaint };
}

/** Resolves with the first that the process says. */
export async function said(process: ChildProcess): Promise<string> {
  const first = once(process.stdout as NodeJS.ReadableStream, "data").then(([chunk]) => String(chunk).trim());
  const dead = ended(process).then(({ complaint }) => {
    throw new Error(`it ended without a word: ${complaint}`);
  });
  dead.catch(() => {});
  return await Promise.race([first, dead]);
}
