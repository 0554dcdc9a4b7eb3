import { randomUUID } from "node:crypto";
import { type Cap, limitsOf } from "../budget/cap.ts";
import { encode } from "../codec.ts";
import { HoldfastError } from "../errors.ts";
import { digestOf } from "../json.ts";
import { currentScope } from "../scope.ts";
import type { Database, Queryable } from "../store/database.ts";
import { dependOn } from "../store/dependencies.ts";
import { findByKey, type Queued, queue } from "../store/queue.ts";
import { getHead } from "../store/runs.ts";
import type { Agent } from "./agent.ts";
import type { Shared } from "./host.ts";

export interface StartOptions {
  /** The same key again, with the same input, is the same run; with another input it is RUN_EXISTS_DIFFERENT. */
  readonly key?: string | undefined;
  /** Not before this. Default: as soon as a worker is free. Cannot be given with `after`. */
  readonly runAt?: Date | undefined;
  /** The highest goes first. From -1,000,000 to 1,000,000. Default 0. */
  readonly priority?: number | undefined;
  readonly tags?: readonly string[] | undefined;
  /** Crashes in a row without a new observation, after which the run is dead. Default 5. */
  readonly maxAttempts?: number | undefined;
  /** Only workers with the agent's version at hand work on it, and not the newest there is. Default false. */
  readonly pin?: boolean | undefined;
  /** Who starts it. Recorded. */
  readonly by?: string | undefined;
  /** What the run may spend: `usd(1)`. Default: what every run may. */
  readonly budget?: Cap | undefined;
  /** Runs that must have ended before it begins. What they return is in `outputs`, by their ids or these names. */
  readonly after?: readonly (Needed | Awaited)[] | undefined;
}

/** A run that another comes after. */
interface Needed {
  readonly id: string;
}

interface Awaited {
  readonly run: Needed;
  readonly name?: string;
  /** When it does not succeed: this run fails too (default), or begins all the same, without that output. */
  readonly onFailure?: "fail" | "skip";
}

const OPTIONS = ["after", "key", "runAt", "priority", "tags", "maxAttempts", "pin", "by", "budget"];
const DEFAULT_MOST_CRASHES = 5;
const FARTHEST_PRIORITY = 1_000_000;
const LONGEST_KEY = 512;

/**
 * Starts a run once a key. Gives back its id. Inside a run it is a step of it: however often that is run again, its child is
 * started once. Throws RUN_EXISTS_DIFFERENT, QUEUE_FULL, INVALID_ARGUMENT.
 */
export async function startRun<Raw>(
  fleet: Shared,
  agent: Agent<Raw>,
  input: Raw,
  options: StartOptions,
): Promise<string> {
  const scope = currentScope();
  if (!scope) return await startNow(fleet, agent, input, options);
  const call = { kind: "step", name: `start ${agent.name}`, input: { input }, effect: "idempotent" } as const;
  return await scope.step(call, ({ key }) =>
    startNow(fleet, agent, input, { ...options, key: options.key ?? key }),
  );
}

async function startNow<Raw>(
  fleet: Shared,
  agent: Agent<Raw>,
  input: Raw,
  options: StartOptions,
): Promise<string> {
  checkOptions(options);
  const { after = [] } = options;
  const queued = await queuedOf(fleet, agent, await agent.check(input), options);
  const db = await fleet.host.db();
  const runId =
    after.length === 0
      ? await queueOnce(db, queued)
      : await queueAfter(db, { ...queued, waits: true }, after);
  fleet.notifier(db).tell("queued");
  return runId;
}

/** Queues a run with all that it comes after, or not at all. */
async function queueAfter(
  db: Database,
  queued: Queued,
  after: readonly (Needed | Awaited)[],
): Promise<string> {
  return await db.transaction(async (tx) => {
    const runId = await queueOnce(tx, queued);
    if (runId !== queued.runId) return runId; // it is there already, with what it comes after
    for (const each of after) {
      const { run, name = run.id, onFailure = "fail" } = "run" in each ? each : { run: each };
      if (!(await dependOn(tx, runId, { runId: run.id, name, onFailure }))) {
        throw new HoldfastError("RUN_NOT_FOUND", { runId: run.id });
      }
    }
    return runId;
  });
}

/** A run as it is queued, of an input that was checked. */
export async function queuedOf(
  fleet: Shared,
  agent: Pick<Agent, "name" | "version">,
  input: unknown,
  options: StartOptions,
): Promise<Queued> {
  const { key, runAt, priority = 0, tags, maxAttempts = DEFAULT_MOST_CRASHES, pin = false } = options;
  const { by, budget } = options;
  const { redactor, budget: declared } = fleet.host.settings;
  const cap = budget === undefined ? declared.perRun : limitsOf("budget", budget);
  const kept = input === undefined ? undefined : redactor.apply("input", input);
  return {
    runId: randomUUID(),
    start: {
      kind: "start",
      agent: agent.name,
      version: agent.version,
      inline: false,
      tags,
      key,
      by,
      parent: currentScope()?.runId,
      ...(cap ? { budget: cap } : {}),
      value: kept === undefined ? undefined : encode(kept),
    },
    inputDigest: digestOf(kept),
    pinnedTo: pin ? pinned(agent) : "",
    priority,
    runAt,
    waits: false,
    mostCrashes: maxAttempts,
    queueLimit: fleet.host.queueLimit,
  };
}

/** Queues the run, or finds the one that was queued with its key. */
export async function queueOnce(db: Queryable, queued: Queued): Promise<string> {
  const { agent, key } = queued.start;
  // What was there when the run was refused may have been deleted by the time that it is looked for.
  for (;;) {
    if ((await queue(db, queued)) !== undefined) return queued.runId;
    if (await getHead(db, queued.runId)) return queued.runId; // the answer was lost, and it was sent again
    const found = key === undefined ? undefined : await findByKey(db, agent, key);
    if (found) {
      if (found.inputDigest === queued.inputDigest) return found.runId;
      throw new HoldfastError("RUN_EXISTS_DIFFERENT", { runId: found.runId, differs: "input" });
    }
    if (queued.queueLimit !== undefined) throw new HoldfastError("QUEUE_FULL", { limit: queued.queueLimit });
  }
}

function pinned({ name, version }: Pick<Agent, "name" | "version">): string {
  if (version !== undefined) return version;
  const why = `pins a run to the version of ${name}, which has none`;
  throw new HoldfastError("INVALID_ARGUMENT", { argument: "pin", why });
}

export function checkOptions(options: StartOptions, more: readonly string[] = []): void {
  const refuse = (argument: string, why: string) => new HoldfastError("INVALID_ARGUMENT", { argument, why });
  const unknown = Object.keys(options).find((option) => !OPTIONS.includes(option) && !more.includes(option));
  if (unknown) throw refuse(unknown, `is no option; there are ${[...OPTIONS, ...more].join(", ")}`);
  const { key, runAt, priority = 0, maxAttempts = 1, by } = options;
  if (by !== undefined && (typeof by !== "string" || by === ""))
    throw refuse("by", "must name who starts it");
  if (key !== undefined && (typeof key !== "string" || key === "" || key.length > LONGEST_KEY)) {
    throw refuse("key", `must be a string of 1 to ${LONGEST_KEY} characters`);
  }
  if (runAt !== undefined && !(runAt instanceof Date && Number.isFinite(runAt.getTime()))) {
    throw refuse("runAt", "must be a Date");
  }
  if (runAt !== undefined && options.after !== undefined && options.after.length > 0) {
    throw refuse("runAt", "cannot be given with after: begin the run that it comes after at that time");
  }
  if (!Number.isInteger(priority) || Math.abs(priority) > FARTHEST_PRIORITY) {
    throw refuse("priority", `must be a whole number from -${FARTHEST_PRIORITY} to ${FARTHEST_PRIORITY}`);
  }
  if (!Number.isInteger(maxAttempts) || maxAttempts < 1) {
    throw refuse("maxAttempts", "must be a whole number from 1 on");
  }
}
