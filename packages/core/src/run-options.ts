import { type Cap, limitsOf } from "./budget/cap.ts";
import { HoldfastError } from "./errors.ts";
import { digestOf } from "./json.ts";
import { check } from "./options.ts";
import type { Redactor } from "./redact.ts";
import { currentScope } from "./scope.ts";

export interface RunOptions {
  /** What the run is about. Recorded; the same id with another input is RUN_EXISTS_DIFFERENT. */
  readonly input?: unknown;
  /** A name for the kind of work, to find runs by. The same id with another agent is RUN_EXISTS_DIFFERENT. */
  readonly agent?: string;
  readonly version?: string;
  readonly tags?: readonly string[];
  /** How many model calls, tool calls and steps it may make, over all its executions. One more is TOO_MANY_STEPS. */
  readonly maxSteps?: number;
  /** Somebody alive is working on this run: `refuse` with RUN_LEASED (default), or `wait` until that is over. */
  readonly onLeased?: "refuse" | "wait";
  /** What the run may spend: `usd(1)`. It is recorded when the run begins; from then on only `raiseBudget` changes it. */
  readonly budget?: Cap;
}

const OPTIONS = new Set<string>([
  "input",
  "agent",
  "version",
  "tags",
  "maxSteps",
  "onLeased",
  "budget",
] satisfies (keyof RunOptions)[]);

/** The longest run id, in characters: it is an index key. */
const LONGEST_ID = 512;

/** The digest of the input, where there is one. Throws INVALID_ARGUMENT, and RUN_NESTED inside the same run. */
export function checkRun(id: string, options: RunOptions, redactor: Redactor): string | undefined {
  check("A run's id", typeof id === "string" && id !== "", "must be a string that is not empty");
  check("A run's id", id.length <= LONGEST_ID, `must have at most ${LONGEST_ID} characters`);
  check("A run's id", !id.includes("\0") && id.isWellFormed(), "must be text without NUL");
  for (const option of Object.keys(options)) {
    check(option, OPTIONS.has(option), `is no option of a run; there are ${[...OPTIONS].join(", ")}`);
  }
  if (options.budget !== undefined) limitsOf("budget", options.budget);
  const { maxSteps = 1, onLeased = "refuse" } = options;
  check("onLeased", onLeased === "refuse" || onLeased === "wait", 'must be "refuse" or "wait"');
  check("maxSteps", Number.isInteger(maxSteps) && maxSteps >= 1, "must be a whole number from 1 on");
  for (let scope = currentScope(); scope; scope = scope.session.parent) {
    if (scope.runId === id) throw new HoldfastError("RUN_NESTED", { runId: id });
  }
  return options.input === undefined ? undefined : digestOf(redactor.apply("input", options.input));
}
