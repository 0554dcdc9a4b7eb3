import type { Command } from "commander";
import { connected, wholeNumber } from "../connected.ts";
import { timeline } from "../show/timeline.ts";
import { paintOn, type Terminal } from "../terminal.ts";

export function addTail(holdfast: Command, terminal: Terminal): void {
  holdfast
    .command("tail")
    .description("follow a run until its last entry; with --json an entry a line")
    .argument("<run>")
    .option("--after <seq>", "only entries behind this one", wholeNumber("--after"), 0)
    .action(async (id: string, { after }: { after: number }, command: Command) => {
      await connected(command, terminal, async ({ hf, shown, json }) => {
        const { lines } = timeline(paintOn(terminal), terminal.width);
        for await (const entry of hf.tail(id, { after, signal: terminal.stop })) {
          if (json) terminal.out(`${JSON.stringify(shown.entry(entry))}\n`);
          else for (const line of lines(entry)) terminal.out(`${line}\n`);
        }
      });
    });
}
