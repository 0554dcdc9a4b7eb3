import { listFlows } from "@holdfast/server";
import type { Command } from "commander";
import { connected, wholeNumber } from "../connected.ts";
import { clean } from "../show/clean.ts";
import { table } from "../show/table.ts";
import { ago } from "../show/time.ts";
import { paintOn, type Terminal } from "../terminal.ts";

interface Options {
  readonly name?: string;
  readonly limit: number;
  readonly cursor?: string;
}

export function addFlows(holdfast: Command, terminal: Terminal): void {
  holdfast
    .command("flows")
    .description("list flows, the newest first, with how many of their runs there are of each status")
    .option("--name <name>")
    .option("--limit <n>", "at most so many", wholeNumber("--limit"), 50)
    .option("--cursor <cursor>", "where the page before ended")
    .action(async (options: Options, command: Command) => {
      await connected(command, terminal, async ({ hf, say }) => {
        const page = await listFlows((await hf.opened()).db, options);
        const paint = paintOn(terminal);
        say(page, () => [
          ...table(
            ["flow", "runs", "started", "by", "its first run"],
            page.flows.map(({ id, runs, createdAt, by, run }) => [
              clean(id),
              Object.entries(runs)
                .map(([status, count]) => `${count} ${status}`)
                .join(", "),
              `${ago(createdAt)} ago`,
              clean(by ?? ""),
              clean(run),
            ]),
            paint,
          ),
          ...(page.flows.length === 0 ? ["There are none."] : []),
          ...(page.cursor === undefined ? [] : [paint("dim", `There are more: --cursor ${page.cursor}`)]),
        ]);
      });
    });
}
