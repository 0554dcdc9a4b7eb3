import { openHoldfast } from "@holdfast/core";
import { serverTables } from "@holdfast/server";
import type { Command } from "commander";
import type { Common } from "../connected.ts";
import type { Terminal } from "../terminal.ts";

export function addMigrate(holdfast: Command, terminal: Terminal): void {
  holdfast
    .command("migrate")
    .description("bring the schema holdfast up to date; needs a role that may")
    .action(async (_: unknown, command: Command) => {
      const { database, json } = command.optsWithGlobals<Common>();
      const hf = await openHoldfast(database === undefined ? {} : { database });
      try {
        await serverTables(hf);
      } finally {
        await hf.close();
      }
      terminal.out(json ? `${JSON.stringify({ migrated: true })}\n` : "The schema holdfast is up to date.\n");
    });
}
