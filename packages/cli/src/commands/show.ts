import type { Command } from "commander";
import { connected } from "../connected.ts";
import { clean } from "../show/clean.ts";
import { statusText } from "../show/status.ts";
import { timeline } from "../show/timeline.ts";
import { paintOn, type Terminal } from "../terminal.ts";

export function addShow(holdfast: Command, terminal: Terminal): void {
  holdfast
    .command("show")
    .description("show a run: what it is, and its timeline")
    .argument("<run>")
    .action(async (id: string, _: unknown, command: Command) => {
      await connected(command, terminal, async ({ hf, shown, say }) => {
        const run = await hf.runs.get(id);
        const entries = await hf.entries(id);
        const paint = paintOn(terminal);
        const { lines } = timeline(paint, terminal.width);
        const { crashes, retries, resumes } = run.attempts;
        say({ ...shown.run(run), entries: entries.map(shown.entry) }, () => [
          `${paint("bold", clean(run.id))}  ${statusText(run, paint)}`,
          clean(
            [
              run.agent === undefined
                ? "no agent"
                : `agent ${run.agent}${run.version ? ` ${run.version}` : ""}`,
              `epoch ${run.epoch}`,
              `${crashes} crashes, ${retries} retries, ${resumes} resumes`,
              ...run.tags,
            ].join(" · "),
          ),
          "",
          ...entries.flatMap(lines),
        ]);
      });
    });
}
