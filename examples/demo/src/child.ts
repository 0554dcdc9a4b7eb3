import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { say } from "./timeline.ts";

export interface Program {
  readonly name: string;
  readonly file: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/** Starts a process of the demo. What it writes is shown under its name. It ends when this process does. */
export function startChild({ name, file, args, env }: Program): ChildProcess {
  const child = fork(new URL(file, import.meta.url), args, {
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe", "ipc"],
  });
  children.add(child);
  child.once("exit", () => children.delete(child));
  for (const output of [child.stdout, child.stderr]) {
    if (output) createInterface(output).on("line", (line) => say(name, line));
  }
  say(name, `starts, pid ${child.pid}`);
  return child;
}

/** Resolves once the process is gone. */
export async function kill(child: ChildProcess): Promise<void> {
  const closed = once(child, "close");
  if (child.kill("SIGKILL")) await closed;
}

export async function killAll(): Promise<void> {
  await Promise.all([...children].map(kill));
}

export async function finished(child: ChildProcess): Promise<void> {
  const [code, signal] = await once(child, "close");
  if (code !== 0) throw new Error(`process ${child.pid} ended with ${signal ?? `exit code ${code}`}`);
}

/** Rejects when the process ends, however it does. */
export async function diedEarly(child: ChildProcess): Promise<never> {
  const [code, signal] = await once(child, "close");
  throw new Error(`process ${child.pid} ended before its time, with ${signal ?? `exit code ${code}`}`);
}

const children = new Set<ChildProcess>();

process.on("exit", () => {
  for (const child of children) child.kill("SIGKILL");
});
