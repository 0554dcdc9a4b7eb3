import { HoldfastError } from "@holdfast/core";
import { type Command, Option } from "commander";
import { byOption, connected } from "../connected.ts";
import type { Terminal } from "../terminal.ts";

const ENDED = ["succeeded", "failed", "cancelled", "dead"] as const;

interface PruneOptions {
  readonly olderThan: string;
  readonly status?: readonly (typeof ENDED)[number][];
  readonly by: string;
}

export function addPrune(holdfast: Command, terminal: Terminal): void {
  holdfast
    .command("prune")
    .description("forget runs that ended so long ago: their entries and blobs go, their heads stay")
    .requiredOption("--older-than <duration>", "30d, 12h")
    .addOption(new Option("--status <status...>", "only these").choices(ENDED))
    .addOption(byOption())
    .action(async (options: PruneOptions, command: Command) => {
      await connected(command, terminal, async ({ hf, say }) => {
        const pruned = await hf.prune(options);
        say({ pruned }, () => [`${pruned} runs are forgotten.`]);
      });
    });

  holdfast
    .command("delete")
    .description("forget one run that has ended, and free its id")
    .argument("<run>")
    .option("--yes", "its effects happen again if a run of its id does")
    .addOption(byOption())
    .action(async (id: string, { yes, by }: { yes?: true; by: string }, command: Command) => {
      if (!yes) {
        const why =
          "is missing: a run of this id would then begin anew, and repeat the effects of the one deleted";
        throw new HoldfastError("INVALID_ARGUMENT", { argument: "--yes", why });
      }
      await connected(command, terminal, async ({ hf, say }) => {
        await hf.runs.delete(id, { by });
        say({ deleted: id, by }, () => [`Run ${id} is forgotten.`]);
      });
    });
}
