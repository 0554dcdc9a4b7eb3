import { randomUUID } from "node:crypto";
import { decode, type Encoded, encode } from "./codec.ts";
import { HoldfastError } from "./errors.ts";
import { digestOf } from "./json.ts";
import { whyNotFits } from "./json-schema.ts";
import type { Answer, Question } from "./ledger/entry.ts";
import type { Decision } from "./policy/decision.ts";
import { Redactor } from "./redact.ts";
import type { Database } from "./store/database.ts";
import { answerQuestion, getQuestion, isSaid, listQuestions, type QuestionRow } from "./store/questions.ts";

/** What a run asks, and waits for. */
export interface OpenQuestion {
  readonly id: string;
  readonly runId: string;
  readonly step: string;
  /** `approval`: may this call go out? `input`: what is the answer? */
  readonly asks: "approval" | "input";
  /** The tool that is to be called; `ask` for an input. */
  readonly name: string;
  readonly question: string;
  /** What the tool is to be called with. */
  readonly input: unknown;
  /** JSON Schema of what may be answered, where there is one. */
  readonly schema: unknown;
  /** The rule that asks, under which policy. */
  readonly decision: Decision | undefined;
  /** So many have to approve, of these people; undefined: anybody. */
  readonly need: number;
  readonly of: readonly string[] | undefined;
  /** Who has approved so far. */
  readonly approved: readonly string[];
  readonly askedAt: Date;
  readonly expiresAt: Date | undefined;
}

/** What a person says, and who it is. To approve with `input` is to approve the call with these arguments instead. */
export type Answering = { readonly by: string; readonly comment?: string | undefined } & (
  | { readonly approve: true; readonly input?: unknown }
  | { readonly approve: false }
  | { readonly value: unknown }
);

export interface Questions {
  /** The open questions of one run or of all, those that were asked first first. At most `limit`, default 100. */
  list(filter?: { runId?: string | undefined; limit?: number | undefined }): Promise<OpenQuestion[]>;
  /**
   * Answers a question: once, and only as long as it is open. Of several answers at once one wins. The run goes on where an
   * agent's handler is registered; an inline run when it is run again. Throws QUESTION_ANSWERED, QUESTION_EXPIRED,
   * COMMAND_NOT_ALLOWED where this one may not answer or the run has ended, INVALID_ARGUMENT.
   */
  answer(questionId: string, answering: Answering): Promise<void>;
}

const MOST_LISTED = 100;

export function questionsOn(database: () => Promise<Database>, redactor = new Redactor()): Questions {
  return {
    async list({ runId, limit = MOST_LISTED } = {}) {
      return (await listQuestions(await database(), runId, limit)).map(show);
    },

    async answer(questionId, answering) {
      const db = await database();
      const row = await getQuestion(db, questionId);
      if (!row) throw invalid("questionId", `is none that was asked: ${questionId}`);
      const answer = answerTo(row, answering, redactor);
      if ((await answerQuestion(db, answer)) || (await isSaid(db, answer))) return;
      throw whyNot((await getQuestion(db, questionId)) ?? row, answer);
    },
  };
}

/** The answer as it is written. Throws INVALID_ARGUMENT where it is none to this question. */
function answerTo(row: QuestionRow, answering: Answering, redactor: Redactor): Answer {
  const { by, comment } = answering;
  if (typeof by !== "string" || by === "") throw invalid("by", "must name who answers");
  const { asks, need, question, schema } = bodyOf(row);
  const answer = { kind: "answer", question, answer: randomUUID(), step: row.step, by, comment } as const;
  if (asks === "input") {
    if (!("value" in answering))
      throw invalid("The answer", "must be { value, by }: the question asks for an input");
    return { ...answer, says: "input", value: given("value", answering.value, schema, redactor) };
  }
  if (!("approve" in answering) || typeof answering.approve !== "boolean") {
    throw invalid("The answer", "must be { approve: true, by } or { approve: false, by }");
  }
  if (!answering.approve) return { ...answer, says: "denied" };
  if (answering.input === undefined) return { ...answer, says: "approved" };
  if (need > 1) throw invalid("input", `cannot be changed: ${need} people have to approve the same`);
  return { ...answer, says: "approved", value: given("input", answering.input, schema, redactor) };
}

/** What is answered, as it is kept: it fits the schema, and nothing is taken out of it, or the run would not get it. */
function given(field: "input" | "value", value: unknown, schema: unknown, redactor: Redactor): Encoded {
  const why = whyNotFits(schema, value);
  if (why) throw invalid(field, why);
  if (digestOf(redactor.apply(field, value)) === digestOf(value)) return encode(value);
  throw invalid(field, "holds what `redact` keeps out of the ledger, so it cannot be passed on through it");
}

function whyNot(row: QuestionRow, { question: questionId, by }: Answer): HoldfastError {
  const { runId, people } = row;
  if (row.isClosed && !row.isExpired) return new HoldfastError("QUESTION_ANSWERED", { questionId });
  if (row.isExpired) return new HoldfastError("QUESTION_EXPIRED", { questionId });
  if (row.approved.includes(by)) return new HoldfastError("QUESTION_ANSWERED", { questionId });
  const why =
    people && !people.includes(by)
      ? `question ${questionId} is asked of ${people.join(", ")}, not of ${by}`
      : `it is ${row.status}, and waits for no answer`;
  return new HoldfastError("COMMAND_NOT_ALLOWED", { runId, command: "answer a question of", why });
}

function show(row: QuestionRow): OpenQuestion {
  const { asks, name, text, schema, decision, need } = bodyOf(row);
  return {
    id: row.question,
    runId: row.runId,
    step: row.step,
    asks,
    name,
    question: text,
    input: row.value === null ? undefined : decode(row.value),
    schema,
    decision,
    need,
    of: row.people ?? undefined,
    approved: row.approved,
    askedAt: row.at,
    expiresAt: row.expiresAt ?? undefined,
  };
}

const bodyOf = ({ body }: QuestionRow) => JSON.parse(body) as Omit<Question, "kind" | "step" | "value">;

const invalid = (argument: string, why: string) => new HoldfastError("INVALID_ARGUMENT", { argument, why });
