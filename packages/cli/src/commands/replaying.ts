import { departureText, runDiffText } from "@holdfast/core";
import { asJson, type Replaying } from "@holdfast/server";
import { type Command, Option } from "commander";
import { loadApp } from "../app.ts";
import { byOption, type Common, parsed, showing, wholeNumber } from "../connected.ts";
import { Exited } from "../exit.ts";
import { clean } from "../show/clean.ts";
import { colored } from "../show/difference.ts";
import { outputOf } from "../step-output.ts";
import { paintOn, type Terminal } from "../terminal.ts";

const MODES = ["trace", "mock-tools", "counterfactual"] as const;

interface Options extends Common {
  readonly app: string;
  readonly mode: (typeof MODES)[number];
  readonly from?: number;
  readonly input?: string;
  readonly output?: readonly string[];
  readonly model?: string;
  readonly prompt?: string;
  readonly live?: readonly string[];
  readonly id?: string;
  readonly by: string;
}

export function addReplaying(holdfast: Command, terminal: Terminal): void {
  holdfast
    .command("replay")
    .description("run an agent's code over the record of a run; ends with 1 where a trace does not follow it")
    .argument("<run>")
    .requiredOption("--app <file>", "registers the run's agent: export default (hf) => { hf.agent(…) }")
    .addOption(
      new Option("--mode <mode>", "trace calls nothing and writes nothing; the others ask models")
        .choices(MODES)
        .default("trace"),
    )
    .option("--from <seq>", "up to this entry the record stands", wholeNumber("--from"))
    .option("--input <json>", "as if it had been started with this")
    .option("--output <step=json...>", "as if the step had come to this")
    .option("--model <name>", "models are asked by this name")
    .option("--prompt <text>", "models are asked with this system prompt")
    .option("--live <tool...>", "is really called: its effect happens")
    .option("--id <run>", "of the replay's own run")
    .addOption(byOption())
    .action(async (runId: string, _: unknown, command: Command) => {
      const options = command.optsWithGlobals<Options>();
      const replaying = replayingOf(options);
      const { say, shown } = showing(terminal, options);
      const colors = colored(paintOn(terminal));
      const hf = await loadApp(options.app, options.database);
      try {
        if (replaying.mode !== "trace") {
          const replayed = await hf.replay(runId, replaying);
          const { id, value, error, diff } = replayed;
          say(shown.replayed(replaying.mode, replayed), () => [
            `Replayed as run ${clean(id)}: ${cameTo(value, error)}`,
            ...runDiffText(diff).split("\n").map(colors),
          ]);
          return;
        }
        const trace = await hf.replay(runId, replaying);
        say(shown.trace(trace), () =>
          trace.follows
            ? [`The code follows the record of run ${clean(runId)}: ${trace.calls} calls.`]
            : trace.departures.flatMap((departure) => departureText(departure).split("\n").map(colors)),
        );
        if (!trace.follows) throw new Exited("failed");
      } finally {
        await hf.close({ graceSeconds: 0 });
      }
    });
}

function replayingOf({ mode, from, live, id, by, ...options }: Options): Replaying {
  if (mode === "trace") return { mode };
  const { input, output = [], model, prompt } = options;
  const set = {
    ...(input === undefined ? {} : { input: parsed("--input", input) }),
    ...(output.length === 0 ? {} : { steps: Object.fromEntries(output.map(outputOf)) }),
    ...{ model, prompt },
  };
  return { mode, from, set, live, id, by };
}

function cameTo(value: unknown, error: unknown): string {
  const shown = (what: unknown) => JSON.stringify(asJson(what)) ?? "nothing";
  return clean(error === undefined ? shown(value) : `it threw ${shown(error)}`);
}
