import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

/** What a child process prints: one JSON object a line. */
export type Line = Readonly<Record<string, unknown>> & { readonly at: string };

/** A real process of a program of this folder, whose lines can be waited for. */
export class Child {
  readonly lines: Line[] = [];
  readonly #process: ChildProcess;
  readonly #exited: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  #errors = "";
  #heard = () => {};

  constructor(program: string, args: readonly string[], env: Readonly<Record<string, string>> = {}) {
    this.#process = spawn(
      process.execPath,
      [
        "--conditions=@holdfast/source",
        "--no-warnings",
        fileURLToPath(new URL(program, import.meta.url)),
        ...args,
      ],
      { stdio: ["pipe", "pipe", "pipe"], env: { ...process.env, ...env } },
    );
    const { stdout, stderr } = this.#process;
    if (!stdout || !stderr) throw new Error("a child without output");
    stderr.on("data", (chunk: Buffer) => {
      this.#errors += chunk.toString();
    });
    createInterface({ input: stdout }).on("line", (line) => {
      this.lines.push(JSON.parse(line) as Line);
      this.#heard();
    });
    this.#exited = new Promise((resolve) => {
      this.#process.on("close", (code, signal) => {
        resolve({ code, signal });
        this.#heard();
      });
    });
  }

  /** The first line that says `at`. Rejects where the process ends without it. */
  async says(at: string): Promise<Line> {
    for (;;) {
      const line = this.lines.find((line) => line.at === at);
      if (line) return line;
      if (this.#process.exitCode !== null || this.#process.signalCode !== null) {
        await this.#exited;
        const late = this.lines.find((line) => line.at === at);
        if (late) return late;
        throw new Error(
          `the process ended without saying ${at}: ${JSON.stringify(this.lines)}\n${this.#errors}`,
        );
      }
      await new Promise<void>((resolve) => {
        this.#heard = resolve;
      });
    }
  }

  /** Lets a process that waits for it go on. */
  tell(text: string): void {
    this.#process.stdin?.write(`${text}\n`);
  }

  async kill(signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
    this.#process.kill(signal);
    if (signal === "SIGKILL" || signal === "SIGTERM") await this.#exited;
  }

  exited(): Promise<{ code: number | null; signal: NodeJS.Signals | null }> {
    return this.#exited;
  }
}
