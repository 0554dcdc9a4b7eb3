import { HoldfastError } from "@holdfast/core";
import { type Command, Option } from "commander";
import { connected } from "../connected.ts";
import type { Terminal } from "../terminal.ts";

const ENDED = ["succeeded", "failed", "cancelled", "dead"] as const;

export function addPrune(holdfast: Command, terminal: Terminal): void {
  holdfast
    .command("prune")
    .description("forget runs that ended so long ago: their entries and blobs go, their heads stay")
    .requiredOption("--older-than <duration>", "30d, 12h")
    .addOption(new Option("--status <status...>", "only these").choices(ENDED))
    .action(async (options: { olderThan: string; status?: (typeof ENDED)[number][] }, command: Command) => {
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
    .action(async (id: string, { yes }: { yes?: true }, command: Command) => {
      if (!yes) {
        const why =
          "is missing: a run of this id would then begin anew, and repeat the effects of the one deleted";
        throw new HoldfastError("INVALID_ARGUMENT", { argument: "--yes", why });
      }
      await connected(command, terminal, async ({ hf, say }) => {
        await hf.runs.delete(id);
        say({ deleted: id }, () => [`Run ${id} is forgotten.`]);
      });
    });
}
