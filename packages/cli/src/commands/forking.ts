import type { Command } from "commander";
import { byOption, connected, parsed, wholeNumber } from "../connected.ts";
import { clean } from "../show/clean.ts";
import { outputOf } from "../step-output.ts";
import type { Terminal } from "../terminal.ts";

interface ForkOptions {
  readonly at?: number;
  readonly input?: string;
  readonly output?: readonly string[];
  readonly id?: string;
  readonly by: string;
}

export function addForking(holdfast: Command, terminal: Terminal): void {
  holdfast
    .command("fork")
    .description(
      "begin a new run with the first entries of another; what they say has happened is not done again",
    )
    .argument("<run>")
    .option("--at <seq>", "the last entry that both share", wholeNumber("--at"))
    .option("--input <json>", "as if it had been started with this")
    .option("--output <step=json...>", "as if the step had come to this")
    .option("--id <run>", "of the new run")
    .addOption(byOption())
    .action(async (runId: string, options: ForkOptions, command: Command) => {
      const { at, input, output = [], id, by } = options;
      const steps = Object.fromEntries(output.map(outputOf));
      const set = {
        ...(input === undefined ? {} : { input: parsed("--input", input) }),
        ...(output.length === 0 ? {} : { steps }),
      };
      await connected(command, terminal, async ({ hf, say }) => {
        const forked = await hf.fork(runId, { at, id, set, by });
        say({ id: forked.id }, () => [forked.id]);
      });
    });

  holdfast
    .command("send")
    .description("send a run a message")
    .argument("<run>")
    .argument("<json>")
    .addOption(byOption())
    .action(async (id: string, message: string, { by }: { by: string }, command: Command) => {
      const said = parsed("<json>", message);
      await connected(command, terminal, async ({ hf, say }) => {
        await hf.send(id, said, { by });
        say({ runId: id, by }, () => [`Sent to ${clean(id)}, says ${by}.`]);
      });
    });
}
