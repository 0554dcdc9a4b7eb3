import type { ErrorCode } from "@holdfast/core";

/** What the process ends with. docs/reference/cli.md has them as a table. */
export const exits = {
  done: [0, "it is done"],
  failed: [1, "it failed, or `doctor` found something broken"],
  usage: [2, "the command, an option or an argument is not understood"],
  missing: [3, "there is no such run"],
  refused: [4, "the state of the run does not allow it, or somebody else is at it"],
  waiting: [5, "the run waits for something"],
  unavailable: [6, "the database cannot be used: it is away, or its schema is another one"],
} as const satisfies Record<string, readonly [number, string]>;

export type Exit = keyof typeof exits;

const exitOf = {
  RUN_NOT_FOUND: "missing",
  RUN_EXISTS_DIFFERENT: "refused",
  RUN_LEASED: "refused",
  RUN_WAITING: "waiting",
  RUN_UNFINISHED: "refused",
  RUN_NESTED: "refused",
  RUN_DEAD: "refused",
  FENCED: "refused",
  DIVERGED: "failed",
  DRIFTED: "failed",
  POLICY_DENIED: "refused",
  BUDGET_EXHAUSTED: "refused",
  QUESTION_ANSWERED: "refused",
  QUESTION_EXPIRED: "refused",
  COMMAND_NOT_ALLOWED: "refused",
  QUEUE_FULL: "refused",
  CANCELLED: "refused",
  TIMED_OUT: "failed",
  NOT_SERIALIZABLE: "usage",
  OUTPUT_TOO_LARGE: "usage",
  UNHELD_CALL: "failed",
  TOO_MANY_STEPS: "refused",
  INVALID_ARGUMENT: "usage",
  LEDGER_CORRUPT: "failed",
  SCHEMA_TOO_OLD: "unavailable",
  SCHEMA_TOO_NEW: "unavailable",
  DATABASE_UNAVAILABLE: "unavailable",
  NO_EMBEDDED_SERVER: "unavailable",
} as const satisfies Record<ErrorCode, Exit>;

export const exitCode = (exit: Exit): number => exits[exit][0];
export const exitCodeOf = (code: ErrorCode): number => exitCode(exitOf[code]);

/** Ends the command line with that code, everything having been said. */
export class Exited extends Error {
  readonly exit: Exit;
  constructor(exit: Exit) {
    super(`ends with ${exit}`);
    this.exit = exit;
  }
}
