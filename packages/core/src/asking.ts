import { decode, encode, encodeError } from "./codec.ts";
import type { Course } from "./course.ts";
import { HoldfastError } from "./errors.ts";
import type { Lane } from "./lane.ts";
import { type Asked, pendingOf } from "./ledger/asked.ts";
import type { Run } from "./ledger/replay.ts";
import type { Parking } from "./parking.ts";
import { newQuestion } from "./question.ts";
import { withoutSecrets } from "./redact.ts";
import type { RunWriter } from "./run-writer.ts";
import { jsonSchemaOf, type StandardSchema, validate } from "./schema.ts";
import { canRepeat } from "./step/plan.ts";

/** What a run asks a person for. */
export interface Asking<T> {
  /** What is asked. Also what tells questions apart that are asked side by side. */
  readonly question: string;
  /** What may be answered: a zod schema, or any that speaks the standard. Absent: anything that is data. */
  readonly schema?: StandardSchema<T>;
  /** How long an answer is waited for: `2h`, `30m`, or milliseconds. Then it throws QUESTION_EXPIRED. Default: as long as it takes. */
  readonly expiresIn?: string | number;
  /** Who may answer. Default: anybody. */
  readonly by?: string | readonly string[];
}

/** What asking needs of its session. */
export interface Asker {
  readonly runId: string;
  readonly run: Run;
  readonly course: Course;
  readonly parking: Parking;
  writer(step: string): RunWriter;
}

type Answered =
  | { readonly at: "recorded"; readonly value: unknown }
  | { readonly at: "threw"; readonly error: unknown };

/**
 * Asks a person, and waits for the answer: normally somebody gives it to another process. The value is on record as that
 * of a step of its own, in the entry that uses the answer up, and a replay gives it back without asking.
 */
export async function askPerson(of: Asker, lane: Lane, asking: Asking<unknown>): Promise<Answered> {
  const { run, course, parking } = of;
  const once = aroundOnce(of, lane);
  if (once) return { at: "threw", error: notIn(once) };
  const { question, schema, expiresIn, by } = asking;
  const asked = askedAs(question);
  const { key, digest } = course.locate(lane, asked);
  const text = asked.input;
  const about = {
    asks: "input",
    step: key,
    call: "step",
    name: ASK,
    digest,
    expiresIn,
    of: typeof by === "string" ? [by] : by,
    schema: schema && jsonSchemaOf(schema),
  } as const;
  for (;;) {
    const step = run.steps.get(key);
    if (step?.at === "observed") {
      course.consume(lane, key);
      const { ok, value } = step.observation;
      const read = value === undefined ? undefined : decode(value);
      return ok ? { at: "recorded", value: read } : { at: "threw", error: read };
    }
    const writer = of.writer(key);
    const pending = pendingOf(run.questions, key);
    if (!pending) await writer.ask([newQuestion({ ...about, text })]);
    else if (pending.at === "open") {
      const isSettled = () => pendingOf(run.questions, key)?.at !== "open";
      await parking.wait(lane, { waitingOn: "input", isSettled });
    } else {
      const used = await useAnswer(pending, schema);
      if ("why" in used) await writer.ask([newQuestion({ ...about, text: `${text} ${used.why}` })]);
      else {
        const { question } = pending.question;
        writer.say({ kind: "observation", step: key, call: "step", name: ASK, digest, question, ...used });
        await writer.flush();
      }
    }
  }
}

const ASK = "ask";

/** The step that a question is: its text, without what looks like a secret in it. */
export const askedAs = (question: string) =>
  ({ kind: "step", name: ASK, input: withoutSecrets(question) }) as const;

async function useAnswer({ at, answers, question }: Asked, schema: StandardSchema | undefined) {
  if (at !== "input") {
    const error = new HoldfastError("QUESTION_EXPIRED", { questionId: question.question });
    return { ok: false, value: encodeError(error) };
  }
  const answer = answers.at(-1);
  const given = answer?.value === undefined ? undefined : decode(answer.value);
  if (!schema) return { ok: true, value: encode(given) };
  const validated = await validate(schema, given);
  if (validated.ok) return { ok: true, value: encode(validated.value) };
  return { why: `What ${answer?.by} answered does not fit: ${validated.why}` };
}

/** A run that waits inside a call which may not be repeated would find that call in doubt when it goes on. */
function aroundOnce({ run }: Asker, lane: Lane): string | undefined {
  for (let around: Lane | undefined = lane; around; around = around.parent) {
    const step = around.path === undefined ? undefined : run.steps.get(around.path);
    if (step?.at === "intended" && !canRepeat(step.intent.effect)) return step.name;
  }
  return undefined;
}

const notIn = (name: string) =>
  new HoldfastError("INVALID_ARGUMENT", {
    argument: "ask()",
    why: `is asked inside ${name}, which may not be repeated: ask before it, or declare it "read" or "idempotent"`,
  });
