import { HoldfastError } from "@holdfast/core";
import { asJson } from "@holdfast/server";
import type { Command } from "commander";
import { byOption, connected, parsed, wholeNumber } from "../connected.ts";
import { clean } from "../show/clean.ts";
import { table } from "../show/table.ts";
import { ago } from "../show/time.ts";
import { paintOn, type Terminal } from "../terminal.ts";

/** What a run may be told, and what is then said. */
const COMMANDS = {
  cancel: ["stop a run for good; its effects that may have happened are in doubt", "is cancelled"],
  pause: ["stop a run until it is resumed", "is paused"],
  resume: ["let a paused run go on", "goes on"],
} as const;

export function addSteering(holdfast: Command, terminal: Terminal): void {
  for (const name of ["cancel", "pause", "resume"] as const) {
    const [description, done] = COMMANDS[name];
    holdfast
      .command(name)
      .description(description)
      .argument("<run>")
      .addOption(byOption())
      .action(async (id: string, { by }: { by: string }, command: Command) => {
        await connected(command, terminal, async ({ hf, say }) => {
          await hf[name](id, { by });
          say({ runId: id, command: name, by }, () => [`Run ${clean(id)} ${done}, says ${by}.`]);
        });
      });
  }

  holdfast
    .command("dead-letters")
    .description("list runs of the fleet that ended badly and that nobody has redriven")
    .option("--agent <name>")
    .option("--limit <n>", "at most so many, 1 to 500", wholeNumber("--limit"), 50)
    .action(async ({ agent, limit }: { agent?: string; limit: number }, command: Command) => {
      await connected(command, terminal, async ({ hf, shown, say }) => {
        const letters = await hf.deadLetters.list({ agent, limit });
        const paint = paintOn(terminal);
        say({ deadLetters: letters.map(shown.deadLetter) }, () =>
          letters.length === 0
            ? ["There are none."]
            : table(
                ["run", "agent", "", "ended", "with"],
                letters.map(({ id, agent, status, at, error }) => [
                  clean(id),
                  clean(agent),
                  paint("red", status),
                  `${ago(at)} ago`,
                  clean(error instanceof Error ? error.message : (JSON.stringify(asJson(error)) ?? "")),
                ]),
                paint,
              ),
        );
      });
    });

  holdfast
    .command("redrive")
    .description("queue runs anew that failed or are dead; what they have done is not done again")
    .argument("<run...>")
    .option("--input <json>", "of one run: goes on with this instead")
    .addOption(byOption())
    .action(async (ids: string[], options: { input?: string; by: string }, command: Command) => {
      const { input, by } = options;
      if (input !== undefined && ids.length > 1)
        throw new HoldfastError("INVALID_ARGUMENT", { argument: "--input", why: "is for one run" });
      const changed = input === undefined ? {} : { input: parsed("--input", input) };
      await connected(command, terminal, async ({ hf, say }) => {
        await hf.redrive(ids, { by, ...changed });
        say({ redriven: ids, by }, () => ids.map((id) => `Run ${clean(id)} is queued anew.`));
      });
    });
}
