import { listAgents, startByName } from "@holdfast/server";
import { type Command, Option } from "commander";
import { loadApp } from "../app.ts";
import { byOption, type Common, connected, parsed, wholeNumber } from "../connected.ts";
import { logOn } from "../log.ts";
import { clean } from "../show/clean.ts";
import { table } from "../show/table.ts";
import { stopped } from "../stopped.ts";
import { paintOn, type Terminal } from "../terminal.ts";

interface StartOptions {
  readonly input?: string;
  readonly key?: string;
  readonly priority?: string;
  readonly runAt?: string;
  readonly tag?: readonly string[];
  readonly by: string;
}

interface WorkerOptions extends Common {
  readonly app: string;
  readonly concurrency: number;
  readonly agents?: readonly string[];
  readonly grace: number;
}

export function addFleet(holdfast: Command, terminal: Terminal): void {
  holdfast
    .command("agents")
    .description("list agents: who has them, and how many of their runs have not ended")
    .action(async (_: unknown, command: Command) => {
      await connected(command, terminal, async ({ hf, say }) => {
        const agents = await listAgents((await hf.opened()).db);
        say({ agents }, () =>
          agents.length === 0
            ? ["No living worker has an agent, and no agent has a run that has not ended."]
            : table(
                ["agent", "versions (workers)", "queued", "running", "waiting"],
                agents.map(({ name, versions, queued, running, waiting }) => [
                  clean(name),
                  versions
                    .map(({ version, workers }) => clean(`${version ?? "none"} (${workers})`))
                    .join(", "),
                  ...[queued, running, waiting].map(String),
                ]),
                paintOn(terminal),
              ),
        );
      });
    });

  holdfast
    .command("start")
    .description("queue a run of an agent")
    .argument("<agent>")
    .option("--input <json>")
    .option("--key <key>", "the same key again, with the same input, is the same run")
    .option("--priority <n>", "the highest goes first")
    .option("--run-at <time>", "not before this: 2026-01-31T09:00:00Z")
    .option("--tag <tag...>")
    .addOption(byOption())
    .action(async (agent: string, options: StartOptions, command: Command) => {
      const { key, by, tag } = options;
      const input = options.input === undefined ? undefined : parsed("--input", options.input);
      const priority = options.priority === undefined ? undefined : Number(options.priority);
      const runAt = options.runAt === undefined ? undefined : new Date(options.runAt);
      await connected(command, terminal, async ({ hf, say }) => {
        const id = await startByName(hf, agent, input, { key, priority, runAt, by, tags: tag });
        say({ id }, () => [id]);
      });
    });

  holdfast
    .command("worker")
    .description("work on the runs of the agents of a module, until it is told to stop")
    .requiredOption("--app <file>", "registers agents: export default (hf) => { hf.agent(…) }")
    .option("--concurrency <n>", "runs at once", wholeNumber("--concurrency"), 10)
    .addOption(new Option("--agents <name...>", "only these"))
    .option(
      "--grace <seconds>",
      "how long calls under way may settle when it stops",
      wholeNumber("--grace"),
      10,
    )
    .action(async (_: unknown, command: Command) => {
      const { app, database, concurrency, agents, grace, json } = command.optsWithGlobals<WorkerOptions>();
      const hf = await loadApp(app, database, { log: logOn(terminal) });
      try {
        const worker = hf.worker({ concurrency, ...(agents ? { agents } : {}) });
        await worker.start();
        const names = agents ?? hf.agents.map(({ name }) => name);
        terminal.out(
          json ? `${JSON.stringify({ agents: names })}\n` : `Works for ${clean(names.join(", "))}.\n`,
        );
        await stopped(terminal.stop);
        await worker.stop({ graceSeconds: grace });
      } finally {
        await hf.close({ graceSeconds: grace });
      }
    });
}
