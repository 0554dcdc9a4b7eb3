import { whyOf } from "@holdfast/server";
import type { Command } from "commander";
import { connected } from "../connected.ts";
import { clean } from "../show/clean.ts";
import type { Terminal } from "../terminal.ts";

export function addWhy(holdfast: Command, terminal: Terminal): void {
  holdfast
    .command("why")
    .description("say why a run does not move, and what to do")
    .argument("<run>")
    .action(async (id: string, _: unknown, command: Command) => {
      await connected(command, terminal, async ({ hf, say }) => {
        const { why, todo } = await whyOf(hf, id);
        say({ why, todo }, () => (todo === undefined ? [clean(why)] : [clean(why), todo]));
      });
    });
}
