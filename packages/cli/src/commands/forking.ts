import { HoldfastError } from "@holdfast/core";
import type { Command } from "commander";
import { byOption, connected, parsed, wholeNumber } from "../connected.ts";
import { clean } from "../show/clean.ts";
import type { Terminal } from "../terminal.ts";

interface ForkOptions {
  readonly at?: number;
  readonly input?: string;
  readonly output?: readonly string[];
  readonly id?: string;
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
    .action(async (runId: string, { at, input, output = [], id }: ForkOptions, command: Command) => {
      const steps = Object.fromEntries(output.map(outputOf));
      const set = {
        ...(input === undefined ? {} : { input: parsed("--input", input) }),
        ...(output.length === 0 ? {} : { steps }),
      };
      await connected(command, terminal, async ({ hf, say }) => {
        const forked = await hf.fork(runId, { at, id, set });
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

/** `step=json`. A step's key may hold = itself: what comes behind the first one that leaves JSON is the output. */
function outputOf(text: string): [string, { output: unknown }] {
  for (let cut = text.indexOf("="); cut >= 0; cut = text.indexOf("=", cut + 1)) {
    const said = text.slice(cut + 1);
    if (isJson(said)) return [text.slice(0, cut), { output: JSON.parse(said) }];
  }
  throw new HoldfastError("INVALID_ARGUMENT", {
    argument: "--output",
    why: `must be step=JSON, not ${text}`,
  });
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
