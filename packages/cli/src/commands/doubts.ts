import { HoldfastError, type Resolved } from "@holdfast/core";
import { asJson } from "@holdfast/server";
import { type Command, Option } from "commander";
import { byOption, connected, parsed } from "../connected.ts";
import { clean } from "../show/clean.ts";
import { ago } from "../show/time.ts";
import { paintOn, type Terminal } from "../terminal.ts";

interface ResolveOptions {
  readonly happened?: string;
  readonly didNotHappen?: true;
  readonly by: string;
  readonly comment?: string;
}

export function addDoubts(holdfast: Command, terminal: Terminal): void {
  holdfast
    .command("doubts")
    .description("list calls of which nobody can say from the ledger whether they happened")
    .argument("[run]", "of this run only")
    .action(async (runId: string | undefined, _: unknown, command: Command) => {
      await connected(command, terminal, async ({ hf, shown, say }) => {
        const doubts = await hf.doubts.list({ runId });
        const paint = paintOn(terminal);
        say({ doubts: doubts.map(shown.doubt) }, () =>
          doubts.length === 0
            ? ["Nothing is in doubt."]
            : doubts.flatMap(({ runId, step, name, input, key, at, why }) => [
                `${paint("bold", clean(runId))}  ${paint("yellow", clean(name))}  ${clean(JSON.stringify(asJson(input)) ?? "")}`,
                `  about to go out ${ago(at)} ago, with the key ${key}: ${clean(why)}`,
                paint(
                  "dim",
                  `  holdfast resolve ${quoted(clean(runId))} ${quoted(step)} --happened '<its output, JSON>'`,
                ),
                paint("dim", `  holdfast resolve ${quoted(clean(runId))} ${quoted(step)} --did-not-happen`),
              ]),
        );
      });
    });

  holdfast
    .command("resolve")
    .description("say what became of a call in doubt; look at the other side's records first")
    .argument("<run>")
    .argument("<step>", "as `holdfast doubts` names it")
    .addOption(
      new Option("--happened <output>", "it happened, and this is what it returned: JSON").conflicts(
        "didNotHappen",
      ),
    )
    .option("--did-not-happen", "it did not; it may go out again")
    .option("--comment <text>")
    .addOption(byOption())
    .action(async (runId: string, step: string, options: ResolveOptions, command: Command) => {
      const { by, comment } = options;
      const resolved = resolvedBy(options);
      await connected(command, terminal, async ({ hf, say }) => {
        await hf.doubts.resolve(runId, step, resolved, comment === undefined ? { by } : { by, comment });
        const what = "happened" in resolved ? "happened" : "did not happen";
        say({ runId, step, ...resolved, by }, () => [`Recorded: ${step} ${what}, says ${by}.`]);
      });
    });
}

function resolvedBy({ happened, didNotHappen }: ResolveOptions): Resolved {
  if (happened !== undefined) return { happened: parsed("--happened", happened) };
  if (didNotHappen) return { didNotHappen };
  const why = "is missing, and so is --did-not-happen: say one of them";
  throw new HoldfastError("INVALID_ARGUMENT", { argument: "--happened", why });
}

/** As a shell takes it for one word. */
const quoted = (word: string) => (/^[\w./:#@=-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`);
