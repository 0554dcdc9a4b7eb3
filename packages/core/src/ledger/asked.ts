import { corrupt } from "./corrupt.ts";
import type { Answer, Entry, Intent, Observation, Question, Refusal } from "./entry.ts";

/** A question, and what has come of it. An answer is used up by the entry that names its question. */
export interface Asked {
  readonly question: Entry<Question>;
  /** What people said, in order. */
  readonly answers: readonly Entry<Answer>[];
  readonly at: "open" | "approved" | "denied" | "input" | "expired" | "withdrawn";
  /** The entry that used it: the call that it let out, or held back, or whose value it is. */
  readonly usedBy: number | undefined;
}

type Questions = Map<string, Asked>;

export function ask(questions: Questions, entry: Entry<Question>): void {
  if (questions.has(entry.question)) throw corrupt(entry, `question ${entry.question} was asked already`);
  questions.set(entry.question, { question: entry, answers: [], at: "open", usedBy: undefined });
}

export function answer(questions: Questions, entry: Entry<Answer>): void {
  const asked = questions.get(entry.question);
  if (asked?.at !== "open") throw corrupt(entry, `it answers question ${entry.question}, which is not open`);
  const { question } = asked;
  if (question.step !== entry.step) throw corrupt(entry, `its question is about step ${question.step}`);
  const people = new Set(asked.answers.map(({ by }) => by));
  if (people.has(entry.by)) throw corrupt(entry, `${entry.by} has answered already`);
  const isShort = entry.says === "approved" && people.size + 1 < question.need;
  questions.set(entry.question, {
    ...asked,
    answers: [...asked.answers, entry],
    at: isShort ? "open" : entry.says,
  });
}

/** The entry goes by an answer: the right one, given, about this very step, and used by nothing else. */
export function use(questions: Questions, entry: Entry<Intent | Observation | Refusal>): void {
  if (entry.question === undefined) return;
  const asked = questions.get(entry.question);
  if (!asked || !PERMITS[entry.kind].includes(asked.at))
    throw corrupt(entry, `question ${entry.question} did not permit it`);
  const { question, usedBy } = asked;
  if (question.step !== entry.step || question.digest !== entry.digest)
    throw corrupt(entry, `question ${entry.question} is about something else`);
  // A call that goes out again under its key is the same call.
  const isAgain = usedBy !== undefined && entry.kind === "intent";
  if (usedBy !== undefined && !isAgain)
    throw corrupt(entry, `the answer to question ${entry.question} was used by entry ${usedBy}`);
  questions.set(entry.question, { ...asked, usedBy: usedBy ?? entry.seq });
}

const PERMITS: Record<(Intent | Observation | Refusal)["kind"], readonly Asked["at"][]> = {
  intent: ["approved"],
  observation: ["approved", "input", "expired"],
  refusal: ["denied", "expired"],
};

/** Nothing was asked, as far as what has not happened yet is concerned. */
export function withdrawUnused(questions: Questions): void {
  for (const [id, asked] of questions)
    if (asked.usedBy === undefined) questions.set(id, { ...asked, at: "withdrawn" });
}

/** The question that this step waits for, or whose answer it has not used: the last one. */
export function pendingOf(questions: ReadonlyMap<string, Asked>, step: string): Asked | undefined {
  const last = lastUnused(questions, step);
  return last?.at === "withdrawn" ? undefined : last;
}

/** What was last asked about this step, even if it was taken back. Undefined where nothing was, or its answer is used. */
export function lastUnused(questions: ReadonlyMap<string, Asked>, step: string): Asked | undefined {
  const last = [...questions.values()].findLast(({ question }) => question.step === step);
  return last?.usedBy === undefined ? last : undefined;
}

/** Questions that nobody has settled yet. */
export const openQuestions = (questions: ReadonlyMap<string, Asked>): string[] =>
  [...questions.values()].filter(({ at }) => at === "open").map(({ question }) => question.question);
