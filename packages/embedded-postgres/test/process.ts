import { type ChildProcess, spawn } from "node:child_process";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { EmbeddedPostgres, startEmbeddedPostgres } from "../src/index.ts";

export const isRoot = process.geteuid?.() === 0;
export const isLinux = process.platform === "linux";

export interface Opener {
  readonly child: ChildProcess;
  /** What it opened. */
  readonly server: Promise<Pick<EmbeddedPostgres, "url" | "folder" | "pid">>;
  /** The error it got instead, if it got one. */
  readonly refusal: Promise<{ name: string; code?: string; message: string } | undefined>;
  readonly exited: Promise<number | NodeJS.Signals | null>;
}

/** A process of its own that opens a server, says what it got, and then stays until it is killed, or `leaves`. */
export function opener(
  options: Parameters<typeof startEmbeddedPostgres>[0],
  {
    leaves = false,
    script = fileURLToPath(new URL("opener.ts", import.meta.url)),
    fileBlocksMax,
    ...how
  }: {
    leaves?: boolean;
    script?: string;
    fileBlocksMax?: number;
    uid?: number;
    gid?: number;
    env?: NodeJS.ProcessEnv;
  } = {},
): Opener {
  const limit = fileBlocksMax === undefined ? "" : `ulimit -f ${fileBlocksMax}; `;
  const command = [process.execPath, script, JSON.stringify({ options, leaves })];
  const child = spawn("/bin/sh", ["-c", `${limit}exec "$@"`, "sh", ...command], {
    stdio: ["ignore", "pipe", "pipe"],
    cwd: "/",
    ...how,
  });
  let [out, err] = ["", ""];
  child.stdout.on("data", (data) => (out += String(data)));
  child.stderr.on("data", (data) => (err += String(data)));
  const exited = new Promise<number | NodeJS.Signals | null>((exit) =>
    child.on("close", (code, signal) => exit(signal ?? code)),
  );
  type Answer = EmbeddedPostgres & { error?: { name: string; code?: string; message: string } };
  const answer = until("the opener has answered", async () => {
    if (out.endsWith("\n")) return JSON.parse(out) as Answer;
    if (child.exitCode !== null || child.signalCode !== null) {
      await exited;
      if (out.endsWith("\n")) return JSON.parse(out) as Answer;
      throw new Error(`The opener ended with ${child.exitCode ?? child.signalCode}: ${err}`);
    }
    return undefined;
  });
  const server = answer.then((opened) => {
    if (opened.error !== undefined) throw new Error(`${opened.error.name}: ${opened.error.message}`);
    return opened;
  });
  const refusal = answer.then(({ error }) => error);
  for (const asked of [server, refusal]) asked.catch(() => {}); // Whoever kills it early does not ask.
  return { child, server, refusal, exited };
}

/** Polls until `look` gives something else than undefined or false. */
export async function until<T>(
  what: string,
  look: () => Promise<T> | T,
  secondsMax = 20,
): Promise<Exclude<T, undefined | false>> {
  const patience = performance.now() + secondsMax * 1000;
  while (performance.now() < patience) {
    const found = await look();
    if (found !== undefined && found !== false) return found as Exclude<T, undefined | false>;
    await new Promise((go) => setTimeout(go, 5));
  }
  throw new Error(`Waited ${secondsMax} seconds in vain until ${what}.`);
}

export interface Process {
  readonly pid: number;
  readonly parent: number;
  readonly command: string;
}

/** The processes that work in the folder or below: the server, its children, and the shells that see to its end. */
export function processesIn(folder: string): Process[] {
  return readdirSync("/proc").flatMap((name) => {
    try {
      const cwd = readlinkSync(`/proc/${name}/cwd`);
      if (!/^\d+$/.test(name) || !cwd.startsWith(`${folder}/`)) return [];
      const status = readFileSync(`/proc/${name}/status`, "utf8");
      const command = readFileSync(`/proc/${name}/cmdline`, "utf8").replaceAll("\0", " ");
      return [{ pid: Number(name), parent: Number(/^PPid:\s+(\d+)/m.exec(status)?.[1]), command }];
    } catch {
      return []; // It ended while it was looked at.
    }
  });
}

export function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
