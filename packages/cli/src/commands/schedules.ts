import { listSchedules } from "@holdfast/server";
import type { Command } from "commander";
import { connected } from "../connected.ts";
import { clean } from "../show/clean.ts";
import { table } from "../show/table.ts";
import { paintOn, type Terminal } from "../terminal.ts";

export function addSchedules(holdfast: Command, terminal: Terminal): void {
  holdfast
    .command("schedules")
    .description("list schedules, each with its next time")
    .action(async (_: unknown, command: Command) => {
      await connected(command, terminal, async ({ hf, say }) => {
        const schedules = await listSchedules((await hf.opened()).db);
        say({ schedules }, () =>
          schedules.length === 0
            ? ["There are none."]
            : table(
                ["schedule", "cron", "agent", "next"],
                schedules.map(({ name, cron, timezone, agent, nextAt }) => [
                  clean(name),
                  `${clean(cron)} ${clean(timezone)}`,
                  clean(agent),
                  nextAt?.toISOString() ?? "never",
                ]),
                paintOn(terminal),
              ),
        );
      });
    });
}
