import { HoldfastError, runDiffText } from "@holdfast/core";
import type { Command } from "commander";
import { connected } from "../connected.ts";
import { clean } from "../show/clean.ts";
import { colored } from "../show/difference.ts";
import { paintOn, type Terminal } from "../terminal.ts";

interface ExportOptions {
  readonly to?: string;
  readonly redact?: readonly string[];
  readonly vitest?: string;
  readonly from?: string;
}

export function addComparing(holdfast: Command, terminal: Terminal): void {
  holdfast
    .command("diff")
    .description("compare what two runs did, step by step")
    .argument("<a>")
    .argument("<b>")
    .action(async (a: string, b: string, _: unknown, command: Command) => {
      await connected(command, terminal, async ({ hf, shown, say }) => {
        const diff = await hf.diff(a, b);
        say(shown.diff(diff), () =>
          runDiffText(diff)
            .split("\n")
            .map(colored(paintOn(terminal))),
        );
      });
    });

  holdfast
    .command("export")
    .description("write a run as one file (JSON Lines), and if you like a test that runs your code over it")
    .argument("<run>")
    .option("--to <file>", "where to write it; otherwise it is printed")
    .option("--redact <path...>", "what does not leave the house: output.user.ssn")
    .option("--vitest <name>", "with --to and --from: write a test beside it that runs this function")
    .option("--from <module>", "where the test imports it from")
    .action(async (id: string, options: ExportOptions, command: Command) => {
      const { to, redact = [], vitest: name, from } = options;
      if ((name === undefined) !== (from === undefined)) {
        const why = "belong together: the function that the test runs, and the module that exports it";
        throw new HoldfastError("INVALID_ARGUMENT", { argument: "--vitest and --from", why });
      }
      const vitest = name && from ? { vitest: { import: name, from } } : {};
      await connected(command, terminal, async ({ hf, say }) => {
        const text = await hf.exportRun(id, { redact, ...(to === undefined ? {} : { to }), ...vitest });
        if (to === undefined) terminal.out(text);
        else say({ runId: id, to, bytes: Buffer.byteLength(text) }, () => [`Written to ${to}.`]);
      });
    });

  holdfast
    .command("import")
    .description("read a run in that was exported, to look at and to compare")
    .argument("<file>")
    .option("--id <run>", "under another id")
    .action(async (file: string, options: { id?: string }, command: Command) => {
      await connected(command, terminal, async ({ hf, say }) => {
        const id = await hf.importRun(file, options);
        say({ runId: id }, () => [`It is run ${clean(id)}.`]);
      });
    });
}
