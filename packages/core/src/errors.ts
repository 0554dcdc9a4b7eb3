import type { WaitingOn } from "./run/status.ts";

/**
 * Every way Holdfast says no, and what it says with it. docs/reference/errors.md
 * has a heading for each: what it means, who is told, and what to do.
 */
export interface ErrorDetails {
  RUN_NOT_FOUND: { runId: string };
  RUN_EXISTS_DIFFERENT: { runId: string; differs: "input" | "agent" };
  RUN_LEASED: { runId: string; worker: string };
  RUN_WAITING: {
    runId: string;
    waitingOn: WaitingOn;
    questions: readonly string[];
    doubts: readonly string[];
    paused?: boolean | undefined;
  };
  RUN_UNFINISHED: { runId: string };
  RUN_NESTED: { runId: string };
  FENCED: { runId: string; epoch: number; current: number };
  DIVERGED: { runId: string; step: string; why: string };
  DRIFTED: { runId: string; step: string; differs: readonly string[]; effect?: string | undefined };
  POLICY_DENIED: { runId: string; step: string; reason: string };
  BUDGET_EXHAUSTED: { runId: string; step: string; left: number };
  QUESTION_ANSWERED: { questionId: string };
  QUESTION_EXPIRED: { questionId: string };
  COMMAND_NOT_ALLOWED: { runId: string; command: string; why: string };
  QUEUE_FULL: { limit: number };
  CANCELLED: { runId: string; by: string | undefined };
  TIMED_OUT: { runId: string; step: string | undefined; timeoutMs: number };
  TOO_MANY_STEPS: { runId: string; limit: number };
  RUN_DEAD: { runId: string; reason: string };
  NOT_SERIALIZABLE: { path: string; why: string };
  OUTPUT_TOO_LARGE: { runId: string; step: string; bytes: number; limit: number };
  UNHELD_CALL: { name: string; why: string };
  INVALID_ARGUMENT: { argument: string; why: string };
  LEDGER_CORRUPT: { runId: string; seq: number; why: string };
  SCHEMA_TOO_OLD: { found: number; needed: number; package?: string | undefined };
  SCHEMA_TOO_NEW: { found: number; known: number; package?: string | undefined };
  DATABASE_UNAVAILABLE: { why: string };
  NO_EMBEDDED_SERVER: { why: string };
}

export type ErrorCode = keyof ErrorDetails;

const settle = (runId: string, waitingOn: WaitingOn) =>
  waitingOn === "doubt"
    ? `Look at hf.doubts.list({ runId: "${runId}" }), resolve what is open, then run it again.`
    : waitingOn === "approval" || waitingOn === "input"
      ? `Look at hf.questions.list({ runId: "${runId}" }), answer what is open, then run it again.`
      : waitingOn === "caller"
        ? "Call hf.run with its id to go on."
        : "It goes on once that is settled.";

const schema = (name: string | undefined) =>
  name ? `The schema holdfast, with the tables of ${name}, is` : "The schema holdfast is";

const messages: { [C in ErrorCode]: (details: ErrorDetails[C]) => string } = {
  RUN_NOT_FOUND: (d) => `There is no run ${d.runId}. Check the id, and that this is the right database.`,
  RUN_EXISTS_DIFFERENT: (d) =>
    `Run ${d.runId} exists with another ${d.differs}. Use a new id, or pass the ${d.differs} it was started with.`,
  RUN_LEASED: (d) =>
    `Run ${d.runId} is being worked on by ${d.worker}, which is alive. Wait for it, or pass onLeased: "wait".`,
  RUN_WAITING: (d) =>
    d.paused
      ? `Run ${d.runId} is paused. hf.resume("${d.runId}", { by }) lets it go on.`
      : `Run ${d.runId} is parked: it waits for ${d.waitingOn}. ${settle(d.runId, d.waitingOn)}`,
  RUN_UNFINISHED: (d) =>
    `Run ${d.runId} is not finished. Finish or cancel it before giving it another input.`,
  RUN_NESTED: (d) => `Run ${d.runId} was started inside itself. Use another id for a child, or a step.`,
  FENCED: (d) =>
    `Run ${d.runId} was taken over: epoch ${d.epoch} is over, ${d.current} is current. This process must not go on with it.`,
  DIVERGED: (d) =>
    `Run ${d.runId} does not follow its ledger at step ${d.step}: ${d.why}. Nothing was called. Put the code back to what the ledger recorded, or start a new run.`,
  DRIFTED: (d) =>
    `Run ${d.runId} asks the model something else at step ${d.step} than is on record: ${d.differs.join(", ")} changed. ${
      d.effect
        ? `It is not asked anew, because the effect ${d.effect} may stand on that answer: fork the run before it.`
        : 'Set drift to "accept" to use the record.'
    }`,
  // A model is told this, and asked with it again: a fork and a replay of the run must ask the same.
  POLICY_DENIED: (d) => `Policy denied step ${d.step}: ${d.reason.replace(/\.$/, "")}.`,
  BUDGET_EXHAUSTED: (d) =>
    `Run ${d.runId} has ${d.left} micro-dollars left, too little for step ${d.step}. Raise the budget to go on.`,
  QUESTION_ANSWERED: (d) => `Question ${d.questionId} has been answered already. The first answer counts.`,
  QUESTION_EXPIRED: (d) => `Question ${d.questionId} has expired. Its run decides what happens now.`,
  COMMAND_NOT_ALLOWED: (d) => `Cannot ${d.command} run ${d.runId}: ${d.why}.`,
  QUEUE_FULL: (d) => `The queue holds ${d.limit} runs and takes no more. Start this one later.`,
  CANCELLED: (d) =>
    `Run ${d.runId} was cancelled${d.by ? ` by ${d.by}` : ""}. Start a new run to do it after all.`,
  TIMED_OUT: (d) =>
    `${d.step === undefined ? "Run" : `Step ${d.step} of run`} ${d.runId} took longer than its ${d.timeoutMs} ms. Raise timeoutMs if it may take longer.`,
  TOO_MANY_STEPS: (d) =>
    `Run ${d.runId} asks for more than its ${d.limit} steps, over all its executions. Raise maxSteps if it may take more.`,
  RUN_DEAD: (d) =>
    `Run ${d.runId} is dead: ${d.reason}. Look at hf.entries("${d.runId}"), mend what kills it, then hf.redrive("${d.runId}").`,
  NOT_SERIALIZABLE: (d) =>
    `The value at ${d.path} cannot be kept: ${d.why}. Return plain data, dates, maps, sets, bytes or errors.`,
  OUTPUT_TOO_LARGE: (d) =>
    `Step ${d.step} of run ${d.runId} returned ${d.bytes} bytes; the limit is ${d.limit}. Return less, or a reference to it.`,
  UNHELD_CALL: (d) => `${d.name} is not held by Holdfast: ${d.why}.`,
  INVALID_ARGUMENT: (d) => `${d.argument} ${d.why}.`,
  LEDGER_CORRUPT: (d) =>
    `Entry ${d.seq} of run ${d.runId} cannot be right: ${d.why}. Nothing was changed; look at hf.entries("${d.runId}").`,
  SCHEMA_TOO_OLD: (d) =>
    `${schema(d.package)} at version ${d.found}, this code needs ${d.needed}. Migrate with a role that may, or open with migrate: true.`,
  SCHEMA_TOO_NEW: (d) =>
    `${schema(d.package)} at version ${d.found}, this code knows ${d.known}. Upgrade ${d.package ?? "@holdfast/core"} before it touches this database.`,
  DATABASE_UNAVAILABLE: (d) =>
    `The database cannot be used: ${d.why}. Check DATABASE_URL and that the server is up.`,
  NO_EMBEDDED_SERVER: (d) =>
    `There is no embedded server: ${d.why}. Set DATABASE_URL to a Postgres 15 or newer.`,
};

const marker = Symbol.for("holdfast.error");

/** The only class that Holdfast throws. `code` says which row of ErrorDetails it is, `details` is that row. */
export class HoldfastError<C extends ErrorCode = ErrorCode> extends Error {
  override readonly name = "HoldfastError";
  readonly [marker] = true;
  readonly code: C;
  readonly details: ErrorDetails[C];

  constructor(code: C, details: ErrorDetails[C], options?: ErrorOptions) {
    super(`${messages[code](details)} (${code})`, options);
    this.code = code;
    this.details = details;
  }

  /** Unlike `instanceof`, still true when two copies of this package meet in one process. */
  static is<C extends ErrorCode = ErrorCode>(error: unknown, code?: C): error is HoldfastError<C> {
    return error instanceof Error && marker in error && (!code || (error as HoldfastError).code === code);
  }
}
