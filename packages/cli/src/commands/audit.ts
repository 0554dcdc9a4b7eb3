import { listDeeds } from "@holdfast/server";
import type { Command } from "commander";
import { connected, wholeNumber } from "../connected.ts";
import { clean } from "../show/clean.ts";
import { table } from "../show/table.ts";
import { paintOn, type Terminal } from "../terminal.ts";

interface Options {
  readonly limit: number;
  readonly cursor?: string;
}

export function addAudit(holdfast: Command, terminal: Terminal): void {
  holdfast
    .command("audit")
    .description("list who did what, as far as no run's ledger says it: prunes, deletions, schedules")
    .option("--limit <n>", "at most so many", wholeNumber("--limit"), 50)
    .option("--cursor <cursor>", "where the page before ended")
    .action(async (options: Options, command: Command) => {
      await connected(command, terminal, async ({ hf, say }) => {
        const page = await listDeeds((await hf.opened()).db, options);
        const paint = paintOn(terminal);
        say(page, () => [
          ...table(
            ["at", "who", "did", "about"],
            page.deeds.map(({ at, by, did, about }) => [
              at.toISOString().slice(0, 19),
              clean(by),
              did,
              clean(JSON.stringify(about)),
            ]),
            paint,
          ),
          ...(page.deeds.length === 0 ? ["There is nothing."] : []),
          ...(page.cursor === undefined ? [] : [paint("dim", `There are more: --cursor ${page.cursor}`)]),
        ]);
      });
    });
}
