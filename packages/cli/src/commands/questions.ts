import { type Answering, HoldfastError } from "@holdfast/core";
import { asJson } from "@holdfast/server";
import { type Command, Option } from "commander";
import { byOption, connected, parsed } from "../connected.ts";
import { clean } from "../show/clean.ts";
import { ago } from "../show/time.ts";
import { paintOn, type Terminal } from "../terminal.ts";

interface AnswerOptions {
  readonly approve?: true;
  readonly deny?: true;
  readonly input?: string;
  readonly value?: string;
  readonly comment?: string;
  readonly by: string;
}

export function addQuestions(holdfast: Command, terminal: Terminal): void {
  holdfast
    .command("questions")
    .description("list what runs ask people")
    .argument("[run]", "of this run only")
    .action(async (runId: string | undefined, _: unknown, command: Command) => {
      await connected(command, terminal, async ({ hf, shown, say }) => {
        const questions = await hf.questions.list({ runId });
        const paint = paintOn(terminal);
        say({ questions: questions.map(shown.question) }, () =>
          questions.length === 0
            ? ["Nothing is asked."]
            : questions.flatMap(
                ({ id, runId, asks, name, question, input, need, of, approved, askedAt, expiresAt }) => [
                  `${paint("bold", clean(runId))}  ${paint("yellow", clean(question))}`,
                  ...(asks === "approval"
                    ? [`  ${clean(`${name} ${JSON.stringify(asJson(input)) ?? ""}`)}`]
                    : []),
                  `  asked ${ago(askedAt)} ago${expiresAt ? `, until ${expiresAt.toISOString()}` : ""}${
                    of ? `, of ${clean(of.join(", "))}` : ""
                  }${need > 1 ? `, ${approved.length} of ${need} have approved` : ""}`,
                  paint(
                    "dim",
                    `  holdfast answer ${id} ${asks === "approval" ? "--approve | --deny" : "--value '<JSON>'"}`,
                  ),
                ],
              ),
        );
      });
    });

  holdfast
    .command("answer")
    .description("answer a question: once")
    .argument("<question>", "its id")
    .addOption(new Option("--approve", "the call may go out").conflicts(["deny", "value"]))
    .addOption(new Option("--deny", "the call may not go out").conflicts(["value", "input"]))
    .option("--input <json>", "with --approve: with these arguments instead")
    .addOption(new Option("--value <json>", "what was asked for").conflicts("input"))
    .option("--comment <text>")
    .addOption(byOption())
    .action(async (id: string, options: AnswerOptions, command: Command) => {
      const answering = answeringBy(options);
      await connected(command, terminal, async ({ hf, say }) => {
        await hf.questions.answer(id, answering);
        say({ question: id, ...answering }, () => [`Recorded, by ${options.by}.`]);
      });
    });
}

function answeringBy({ approve, deny, input, value, comment, by }: AnswerOptions): Answering {
  const who = { by, comment };
  if (deny) return { approve: false, ...who };
  if (approve)
    return { approve, ...(input === undefined ? {} : { input: parsed("--input", input) }), ...who };
  if (value !== undefined) return { value: parsed("--value", value), ...who };
  const why = "is missing, and so are --deny and --value: say one of them";
  throw new HoldfastError("INVALID_ARGUMENT", { argument: "--approve", why });
}
