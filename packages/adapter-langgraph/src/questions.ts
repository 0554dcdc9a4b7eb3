import { type Answering, type Holdfast, HoldfastError, type OpenQuestion } from "@holdfast/core";
import type { Graph, GraphOptions } from "./graph.ts";

/** A question of Holdfast, as LangGraph's users know one of `interrupt()`. */
export interface Interrupt {
  readonly id: string;
  readonly value: Pick<OpenQuestion, "asks" | "name" | "question" | "input"> & {
    readonly questionId: string;
  };
}

/** The open questions of a run. */
export async function interruptsOf(hf: Holdfast, runId: string): Promise<Interrupt[]> {
  const open = await hf.questions.list({ runId });
  return open.map(({ id, asks, name, question, input }) => ({
    id,
    value: { questionId: id, asks, name, question, input },
  }));
}

/** What LangGraph streams for interrupts, in the modes that tell of them. */
export function chunksOf(
  graph: Graph,
  { streamMode, subgraphs }: GraphOptions,
  interrupts: readonly Interrupt[],
): unknown[] {
  const isOne = !Array.isArray(streamMode);
  const modes = [streamMode ?? graph.streamMode ?? "updates"].flat();
  const payload = { __interrupt__: interrupts };
  return modes
    .filter((mode) => mode === "values" || mode === "updates")
    .map((mode) => [...(subgraphs ? [[]] : []), ...(isOne ? [] : [mode]), payload])
    .map((chunk) => (chunk.length === 1 ? payload : chunk));
}

/**
 * Takes what a `Command` resumes with for the answers to a run's open questions: by their ids, or, where there is one
 * question, for its answer. Never by their order: what approves one call must not let out another. Throws
 * INVALID_ARGUMENT where it is unclear which question is meant.
 */
export async function answerWith(hf: Holdfast, runId: string, resume: unknown): Promise<void> {
  const open = await hf.questions.list({ runId });
  const byId = open.filter(({ id }) => isRecord(resume) && Object.hasOwn(resume, id));
  if (byId.length > 0) {
    for (const question of byId) {
      await hf.questions.answer(question.id, answerTo(question, (resume as Fields)[question.id]));
    }
    return;
  }
  const [only, ...more] = open;
  // As the review middleware of langchain has it. Of several decisions nothing but their order says which calls they are for.
  const { decisions = [resume] } = isRecord(resume) ? (resume as { decisions?: readonly unknown[] }) : {};
  if (!only || more.length > 0 || decisions.length !== 1) {
    const ids = open.map(({ id }) => id).join(", ") || "none";
    const why = `answers one question, and ${ids} are open: resume with { [question's id]: answer }`;
    throw new HoldfastError("INVALID_ARGUMENT", { argument: "Command({ resume })", why });
  }
  await hf.questions.answer(only.id, answerTo(only, decisions[0]));
}

type Fields = Readonly<Record<string, unknown>>;

const isRecord = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Who answers is recorded: LangGraph does not say it, so the answer may. */
function answerTo({ asks, name }: OpenQuestion, said: unknown): Answering {
  const { by = "Command({ resume })", comment } = isRecord(said)
    ? (said as { by?: string; comment?: string })
    : {};
  const who = comment === undefined ? { by } : { by, comment };
  if (asks === "input") return { ...who, value: isRecord(said) && "value" in said ? said.value : said };
  const reviewed = isRecord(said) ? reviewedAs(said, name) : undefined;
  if (reviewed) return { ...who, ...reviewed };
  if (typeof said === "boolean") return { ...who, approve: said };
  if (isRecord(said) && said.approve === false) return { ...who, approve: false };
  if (isRecord(said) && said.approve === true)
    return { ...who, approve: true, ...("input" in said ? { input: said.input } : {}) };
  const why =
    "must be true, false, or { approve, by, comment, input }: the question is whether a call may go out";
  throw new HoldfastError("INVALID_ARGUMENT", { argument: "Command({ resume })", why });
}

/** A decision of the review middleware's. Undefined: it is none. */
function reviewedAs(
  { type, message, editedAction }: Fields,
  name: string,
): { approve: true; input?: unknown } | { approve: false; comment?: string } | undefined {
  if (type === "approve") return { approve: true };
  if (type === "reject")
    return typeof message === "string" ? { approve: false, comment: message } : { approve: false };
  if (type !== "edit" || !isRecord(editedAction)) return undefined;
  if (editedAction.name === name) return { approve: true, input: editedAction.args };
  const why = `calls ${String(editedAction.name)} instead of ${name}: only its arguments may be others`;
  throw new HoldfastError("INVALID_ARGUMENT", { argument: "Command({ resume })", why });
}
