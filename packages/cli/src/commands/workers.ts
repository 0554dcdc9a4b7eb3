import { listWorkers } from "@holdfast/server";
import type { Command } from "commander";
import { connected } from "../connected.ts";
import { table } from "../show/table.ts";
import { ago } from "../show/time.ts";
import { paintOn, type Terminal } from "../terminal.ts";

export function addWorkers(holdfast: Command, terminal: Terminal): void {
  holdfast
    .command("workers")
    .description("list workers: those that are alive, and those that left runs behind")
    .action(async (_: unknown, command: Command) => {
      await connected(command, terminal, async ({ hf, say }) => {
        const workers = await listWorkers((await hf.opened()).db);
        const paint = paintOn(terminal);
        say({ workers }, () =>
          workers.length === 0
            ? ["No worker is there."]
            : table(
                ["worker", "process", "version", "started", "runs", ""],
                workers.map(({ worker, host, pid, version, startedAt, leases, alive }) => [
                  String(worker),
                  `${host}:${pid}`,
                  version,
                  `${ago(new Date(startedAt))} ago`,
                  String(leases),
                  alive ? paint("green", "alive") : paint("red", "its leases have run out"),
                ]),
                paint,
              ),
        );
      });
    });
}
