import { HoldfastError } from "../errors.ts";
import { type Retry, whyNoRetry } from "../retry.ts";
import { type StandardSchema, validate } from "../schema.ts";

/** What a handler is told beside its input. */
export interface AgentContext {
  readonly runId: string;
  /** What the runs it came after have returned, by the name it knows them by. Runs that did not succeed are not here. */
  readonly outputs: Readonly<Record<string, unknown>>;
}

export type Handler<Input, Output> = (input: Input, context: AgentContext) => Output | PromiseLike<Output>;

/** A schema that also says what it takes, where that is not what it gives: a default, a transform. */
export type InputSchema<Raw, Input> = StandardSchema<Input> & {
  readonly "~standard": { readonly types?: { readonly input: Raw } | undefined };
};

export interface AgentOptions<Raw, Input> {
  /**
   * Of this code. A run goes on with the newest version that a living worker has, unless it was pinned. Versions are
   * compared piece by piece, numbers as numbers: `1.10` is newer than `1.9`.
   */
  readonly version?: string;
  /** What its input must be: any Standard Schema (zod, valibot, arktype). Checked when a run is started. */
  readonly input?: InputSchema<Raw, Input>;
  /** How many of its runs may be under way at once, over all workers of the database. Default: no limit. */
  readonly concurrency?: number;
  /** Tries after its work has failed. Default: none. The time until the next one is kept in the database. */
  readonly retry?: Retry;
  /** How long a run may be worked on, in milliseconds, over all its tries; not the time that it waits. Default: no limit. */
  readonly timeoutMs?: number;
  /** How many model calls, tool calls and steps a run may make, over all its tries. Default: no limit. */
  readonly maxSteps?: number;
}

/** Work that any process may pick up which has registered it under its name. */
export interface Agent<Raw = unknown, Output = unknown> {
  readonly name: string;
  readonly version: string | undefined;
  /** What `handler` returns. Only a type. */
  readonly output?: Output;
  /** What a run's input is, and is checked to be. Throws INVALID_ARGUMENT. */
  readonly check: (input: Raw) => Promise<unknown>;
}

/** An agent as the worker runs it. */
export interface Registered {
  readonly agent: Agent;
  readonly handler: Handler<unknown, unknown>;
  readonly concurrency: number | undefined;
  readonly retry: Retry | undefined;
  readonly timeoutMs: number | undefined;
  readonly maxSteps: number | undefined;
}

const OPTIONS = ["version", "input", "concurrency", "retry", "timeoutMs", "maxSteps"];
const LONGEST_NAME = 200;

/** Throws INVALID_ARGUMENT for what is no agent. */
export function makeAgent<Raw, Input, Output>(
  name: string,
  handler: Handler<Input, Output>,
  options: AgentOptions<Raw, Input>,
): { agent: Agent<Raw, Output>; registered: Registered } {
  const argument = `agent("${name}")`;
  const check = (holds: boolean, why: string) => {
    if (!holds) throw new HoldfastError("INVALID_ARGUMENT", { argument, why });
  };
  check(typeof name === "string" && name !== "", "must have a name that is not empty");
  check(name.length <= LONGEST_NAME, `must have a name of at most ${LONGEST_NAME} characters`);
  check(typeof handler === "function", "must have a function that does the work");
  const unknown = Object.keys(options).find((option) => !OPTIONS.includes(option));
  check(unknown === undefined, `has no option ${unknown}; there are ${OPTIONS.join(", ")}`);
  const { version, input, concurrency, retry, timeoutMs, maxSteps } = options;
  check(version === undefined || (typeof version === "string" && version !== ""), "has an empty version");
  for (const [option, value] of Object.entries({ concurrency, maxSteps })) {
    const fits = value === undefined || (Number.isInteger(value) && value >= 1);
    check(fits, `has a ${option} that is no whole number from 1 on`);
  }
  check(
    timeoutMs === undefined || (timeoutMs > 0 && timeoutMs <= 2 ** 31 - 1),
    "has a timeoutMs that is no number of milliseconds",
  );
  const why = retry && whyNoRetry(retry);
  check(why === undefined, `has a retry ${why}`);

  const agent: Agent<Raw, Output> = {
    name,
    version,
    check: (raw) => (input ? validInput(name, input, raw) : Promise.resolve(raw)),
  };
  // What a handler is given is what its schema, or its caller's type, says: the record holds nothing else.
  const registered = {
    agent: agent as Agent,
    handler: handler as Handler<unknown, unknown>,
    concurrency,
    retry,
    timeoutMs,
    maxSteps,
  };
  return { agent, registered };
}

async function validInput(name: string, schema: StandardSchema, raw: unknown): Promise<unknown> {
  const validated = await validate(schema, raw);
  if (validated.ok) return validated.value;
  const why = `does not fit its schema: ${validated.why}`;
  throw new HoldfastError("INVALID_ARGUMENT", { argument: `The input of ${name}`, why });
}

/** Which of two versions is newer: above 0 the first, below 0 the second. None is older than any. */
export function compareVersions(one: string | undefined, other: string | undefined): number {
  return collator.compare(one ?? "", other ?? "");
}

const collator = new Intl.Collator("en", { numeric: true });
