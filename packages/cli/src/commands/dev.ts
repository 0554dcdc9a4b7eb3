import { type ChildProcess, spawn } from "node:child_process";
import { watch } from "node:fs";
import { dirname, resolve } from "node:path";
import { openHoldfast } from "@holdfast/core";
import { serve, serverTables } from "@holdfast/server";
import type { Command } from "commander";
import { type Common, wholeNumber } from "../connected.ts";
import { replayAnew } from "../replay-anew.ts";
import { stopped } from "../stopped.ts";
import type { Terminal } from "../terminal.ts";

interface Options extends Common {
  readonly app?: string;
  readonly port: number;
}

export function addDev(holdfast: Command, terminal: Terminal): void {
  holdfast
    .command("dev")
    .description(
      "on your own machine: the API without keys, and a worker that starts anew when a file changes",
    )
    .option("--app <file>", "registers agents: export default (hf) => { hf.agent(…) }")
    .option("--port <n>", "0 takes any that is free", wholeNumber("--port"), 7420)
    .action(async (_: unknown, command: Command) => {
      const { database, app, port } = command.optsWithGlobals<Options>();
      const hf = await openHoldfast(database === undefined ? {} : { database });
      try {
        await serverTables(hf);
        const itself = [...process.execArgv, process.argv[1] ?? ""];
        const holdfast = database === undefined ? itself : [...itself, "--database", database];
        const replay = app === undefined ? {} : { replay: replayAnew(holdfast, app) };
        const server = await serve(hf, { dev: true, port, ...replay });
        terminal.out(`Holdfast serves at ${server.url}\n`);
        const worker = app === undefined ? undefined : new RestartedWorker(holdfast, app, terminal);
        await stopped(terminal.stop);
        await worker?.stop();
        await server.close();
      } finally {
        await hf.close();
      }
    });
}

/** Changes that come so close together are one. */
const TOGETHER_MS = 100;

/** A worker in a process of its own, which is told to hand over and started anew when a file beside the app changes. */
class RestartedWorker {
  readonly #args: readonly string[];
  readonly #terminal: Terminal;
  readonly #watching: ReturnType<typeof watch>;
  #child: ChildProcess;
  #exited: Promise<void> = Promise.resolve();
  #changed: NodeJS.Timeout | undefined;
  #stopping = false;

  constructor(holdfast: readonly string[], app: string, terminal: Terminal) {
    this.#args = [...holdfast, "worker", "--app", app];
    this.#terminal = terminal;
    this.#child = this.#start();
    this.#watching = watch(dirname(resolve(app)), { recursive: true }, (_, file) => {
      if (file !== null && /(^|[\\/])(node_modules|\.git|\.holdfast)([\\/]|$)/.test(file)) return;
      clearTimeout(this.#changed);
      this.#changed = setTimeout(() => void this.#restart(), TOGETHER_MS);
    });
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    this.#watching.close();
    clearTimeout(this.#changed);
    this.#child.kill("SIGTERM");
    await this.#exited;
  }

  async #restart(): Promise<void> {
    this.#terminal.out("A file has changed: the worker starts anew.\n");
    this.#child.kill("SIGTERM");
    await this.#exited;
    if (!this.#stopping) this.#child = this.#start();
  }

  #start(): ChildProcess {
    const env = { HOLDFAST_LOG: "warn", ...process.env };
    const child = spawn(process.execPath, this.#args, { env, stdio: ["ignore", "pipe", "pipe"] });
    child.stdout?.on("data", (text: Buffer) => this.#terminal.out(text.toString()));
    child.stderr?.on("data", (text: Buffer) => this.#terminal.err(text.toString()));
    this.#exited = new Promise((resolve) => {
      child.once("close", () => resolve());
    });
    return child;
  }
}
