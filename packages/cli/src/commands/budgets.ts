import { HoldfastError, usd } from "@holdfast/core";
import { listBudgets } from "@holdfast/server";
import type { Command } from "commander";
import { byOption, connected } from "../connected.ts";
import { clean } from "../show/clean.ts";
import { table } from "../show/table.ts";
import { paintOn, type Terminal } from "../terminal.ts";

export function addBudgets(holdfast: Command, terminal: Terminal): void {
  const budgets = holdfast
    .command("budgets")
    .description("list windows of the budgets that runs share, the newest first")
    .option("--scope <scope>", "tag:tenant:acme, agent:support")
    .action(async ({ scope }: { scope?: string }, command: Command) => {
      await connected(command, terminal, async ({ hf, say }) => {
        const found = await listBudgets((await hf.opened()).db, { scope });
        say({ budgets: found }, () =>
          found.length === 0
            ? ["There are none."]
            : table(
                ["scope", "per", "from", "spent", "held", "cap"],
                found.map(({ scope, per, starts, micros }) => [
                  clean(scope),
                  per,
                  starts.toISOString().slice(0, 16),
                  dollars(micros.spent),
                  dollars(micros.held),
                  micros.cap === null ? "" : dollars(micros.cap),
                ]),
                paintOn(terminal),
              ),
        );
      });
    });

  budgets
    .command("raise")
    .description("let a run spend more")
    .argument("<run>")
    .requiredOption("--to <dollars>", "its new cap, not what is added: 5, 0.50")
    .addOption(byOption())
    .action(async (id: string, { to, by }: { to: string; by: string }, command: Command) => {
      const cap = Number(to);
      if (!/^\d+(\.\d{1,6})?$/.test(to))
        throw new HoldfastError("INVALID_ARGUMENT", { argument: "--to", why: `must be dollars, not ${to}` });
      await connected(command, terminal, async ({ hf, say }) => {
        await hf.raiseBudget(id, { to: usd(cap), by });
        say({ runId: id, to: usd(cap), by }, () => [
          `Run ${clean(id)} may spend ${dollars(usd(cap))}, says ${by}.`,
        ]);
      });
    });
}

const dollars = (micros: number) => `$${(micros / 1_000_000).toFixed(micros % 10_000 === 0 ? 2 : 6)}`;
