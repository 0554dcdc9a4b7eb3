import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

const main = fileURLToPath(new URL("../src/main.ts", import.meta.url));

/** `holdfast` as a process of its own, whose words can be waited for. */
export class Process {
  readonly exited: Promise<number | null>;
  readonly #process: ChildProcess;
  #said = "";
  #heard = () => {};

  constructor(args: readonly string[]) {
    this.#process = spawn(process.execPath, [
      "--conditions=@holdfast/source",
      "--no-warnings",
      main,
      ...args,
    ]);
    const hear = (text: Buffer) => {
      this.#said += text.toString();
      this.#heard();
    };
    this.#process.stdout?.on("data", hear);
    this.#process.stderr?.on("data", hear);
    this.exited = new Promise((resolve) => {
      this.#process.once("close", (code) => {
        resolve(code);
        this.#heard();
      });
    });
  }

  /** Waits until it has said that. Rejects where it ends without. */
  async says(what: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const found = what.exec(this.#said);
      if (found) return found;
      if (this.#process.exitCode !== null) throw new Error(`it ended without saying ${what}:\n${this.#said}`);
      await new Promise<void>((resolve) => {
        this.#heard = resolve;
      });
    }
  }

  kill(signal: NodeJS.Signals): void {
    this.#process.kill(signal);
  }
}
