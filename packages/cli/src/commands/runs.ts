import type { RunStatus, WaitingOn } from "@holdfast/core";
import { type Command, Option } from "commander";
import { connected, wholeNumber } from "../connected.ts";
import { clean } from "../show/clean.ts";
import { statusText } from "../show/status.ts";
import { table } from "../show/table.ts";
import { ago } from "../show/time.ts";
import { paintOn, type Terminal } from "../terminal.ts";

interface Options {
  readonly status?: RunStatus;
  readonly waitingOn?: WaitingOn;
  readonly agent?: string;
  readonly tag?: string;
  readonly limit: number;
  readonly cursor?: string;
}

export function addRuns(holdfast: Command, terminal: Terminal): void {
  holdfast
    .command("runs")
    .description("list runs, the newest first")
    .addOption(new Option("--status <status>").choices(STATUSES))
    .addOption(new Option("--waiting-on <what>").choices(WAITS))
    .option("--agent <name>")
    .option("--tag <tag>")
    .option("--limit <n>", "at most so many, 1 to 500", wholeNumber("--limit"), 50)
    .option("--cursor <cursor>", "where the page before ended")
    .action(async (options: Options, command: Command) => {
      await connected(command, terminal, async ({ hf, shown, say }) => {
        const { status, waitingOn, agent, tag, limit, cursor } = options;
        const page = await hf.runs.list({ status, waitingOn, agent, tag, limit, cursor });
        const paint = paintOn(terminal);
        say({ runs: page.map(shown.summary), cursor: page.cursor }, () => [
          ...table(
            ["run", "agent", "status", "entries", "started", "tags"],
            page.map((run) => [
              clean(run.id),
              clean(run.agent ?? ""),
              statusText(run, paint),
              String(run.seq),
              `${ago(run.createdAt)} ago`,
              clean(run.tags.join(" ")),
            ]),
            paint,
          ),
          ...(page.length === 0 ? ["No run is like that."] : []),
          ...(page.cursor === undefined ? [] : [paint("dim", `There are more: --cursor ${page.cursor}`)]),
        ]);
      });
    });
}

const STATUSES: readonly RunStatus[] = [
  "queued",
  "running",
  "waiting",
  "succeeded",
  "failed",
  "cancelled",
  "dead",
];
const WAITS: readonly WaitingOn[] = ["approval", "input", "doubt", "budget", "timer", "dependency", "caller"];
