import { HoldfastError, openHoldfast } from "@holdfast/core";
import type { Command } from "commander";
import type { Finding } from "../checks/check.ts";
import { checkPooler, checkServer } from "../checks/database.ts";
import { checkRuns } from "../checks/runs.ts";
import { ownSession } from "../checks/session.ts";
import type { Common } from "../connected.ts";
import { Exited } from "../exit.ts";
import { clean } from "../show/clean.ts";
import { paintOn, type Style, type Terminal } from "../terminal.ts";

export function addDoctor(holdfast: Command, terminal: Terminal): void {
  holdfast
    .command("doctor")
    .description("look for what is wrong: database, schema, clock, pooler, leases, stuck runs")
    .action(async (_: unknown, command: Command) => {
      const { database, json } = command.optsWithGlobals<Common>();
      const findings = await look(database);
      const paint = paintOn(terminal);
      if (json) terminal.out(`${JSON.stringify({ findings }, null, 2)}\n`);
      else
        for (const { name, is, says, todo } of findings) {
          terminal.out(`${paint(styles[is], marks[is])} ${name.padEnd(30)} ${clean(says)}\n`);
          if (todo !== undefined) terminal.out(`  ${" ".repeat(30)} ${paint("dim", todo)}\n`);
        }
      if (findings.some(({ is }) => is === "broken")) throw new Exited("failed");
    });
}

const marks: Record<Finding["is"], string> = { ok: "✓", warning: "!", broken: "✗" };
const styles: Record<Finding["is"], Style> = { ok: "green", warning: "yellow", broken: "red" };

async function look(database: string | undefined): Promise<Finding[]> {
  const opened = await open(database);
  if ("broken" in opened) return [opened.broken];
  const { hf } = opened;
  try {
    const { db } = await hf.opened();
    return [
      ...(await checkServer(db)),
      { name: "schema", is: "ok", says: "as this version needs it" },
      await checkPooler(() => ownSession(db.connection)),
      ...(await checkRuns(db)),
    ];
  } finally {
    await hf.close({ graceSeconds: 0 });
  }
}

async function open(database: string | undefined) {
  try {
    return { hf: await openHoldfast({ ...(database === undefined ? {} : { database }), migrate: false }) };
  } catch (error) {
    if (!HoldfastError.is(error)) throw error;
    const isSchema = error.code === "SCHEMA_TOO_OLD" || error.code === "SCHEMA_TOO_NEW";
    const todo = error.code === "SCHEMA_TOO_OLD" ? "holdfast migrate" : "See docs/reference/errors.md.";
    return {
      broken: { name: isSchema ? "schema" : "database", is: "broken", says: error.message, todo } as const,
    };
  }
}
