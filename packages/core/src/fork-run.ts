import { randomUUID } from "node:crypto";
import { encode } from "./codec.ts";
import { HoldfastError } from "./errors.ts";
import { digestOf } from "./json.ts";
import { type Fact, type Forked, factOf } from "./ledger/entry.ts";
import { downstreamOf, endOf, prefixOf, whyNotFork } from "./ledger/fork.ts";
import type { Run } from "./ledger/replay.ts";
import { blobsNamedIn } from "./rebuild-request.ts";
import type { RecordedRun } from "./recorded-run.ts";
import type { Redactor } from "./redact.ts";
import type { Database } from "./store/database.ts";
import { copyRun } from "./store/forks.ts";
import { getHead, type Head } from "./store/runs.ts";

/** What is to have been otherwise. */
export interface ForkSet {
  /** What the run was started with. */
  readonly input?: unknown;
  /** What steps came to, by their keys. */
  readonly steps?: Readonly<Record<string, { readonly output: unknown }>> | undefined;
}

export interface ForkOptions {
  /** The last entry that the fork shares with the run. Default: its last. */
  readonly at?: number | undefined;
  readonly set?: ForkSet | undefined;
  /** The id of the new run. Default: made up. */
  readonly id?: string | undefined;
  /** Who forks it. Recorded. */
  readonly by?: string | undefined;
  /**
   * What becomes of a model call that asks something else than is on record. `rerun`: its answer is set aside with the
   * answers and reads that may stand on it, and the model is asked anew; where an effect stands on it, the fork stops there
   * with DRIFTED. Default: what `openHoldfast` says under `drift`.
   */
  readonly drift?: "rerun" | undefined;
  /** What the shared entries say was spent counts against the fork's budget. Default false: it has spent nothing. */
  readonly countSpent?: boolean | undefined;
}

interface ForkTerms {
  readonly redactor: Redactor;
  readonly queueLimit?: number | undefined;
  /** It is a replay: nobody else may go on with it. */
  readonly replays?: Forked["replays"];
}

/** Writes a new run that begins with the first entries of another. Gives back its id. */
export async function forkRun(
  db: Database,
  { head, entries, runId, blobs }: RecordedRun & { readonly head: Head },
  { at = head.seq, set = {}, id: chosen, by, drift, countSpent = false }: ForkOptions,
  { redactor, queueLimit, replays }: ForkTerms,
): Promise<string> {
  const id = chosen ?? `${runId}~${randomUUID().slice(0, 8)}`;
  const refuse = (why: string) => new HoldfastError("COMMAND_NOT_ALLOWED", { runId, command: "fork", why });
  if (!Number.isInteger(at) || at < 1 || at > head.seq) {
    const why = `must be the seq of an entry of run ${runId}: 1 to ${head.seq}`;
    throw new HoldfastError("INVALID_ARGUMENT", { argument: "at", why });
  }
  if (drift !== undefined && drift !== "rerun") {
    throw new HoldfastError("INVALID_ARGUMENT", { argument: "drift", why: 'may be "rerun"' });
  }
  const unknown = Object.keys(set).find((field) => field !== "input" && field !== "steps");
  if (unknown !== undefined) {
    const why = `has no ${unknown}: a fork has an input and outputs of steps; a model or a prompt is changed in the code it goes on with`;
    throw new HoldfastError("INVALID_ARGUMENT", { argument: "set", why });
  }
  if (head.replayOf !== null) throw refuse("it is a replay: what its tools did was mocked");
  const open = whyNotFork(entries, at, replays !== undefined);
  if (open) {
    const near = open.near.length > 0 ? `; it can be forked at ${open.near.join(" and ")}` : "";
    throw refuse(`at entry ${at} ${open.why}${near}`);
  }
  if (!replays && head.epoch === 0 && head.waitingOn === "dependency") {
    throw refuse("it waits for other runs to end");
  }

  const run = prefixOf(entries, at);
  const changes = changesIn(run, set, redactor, at);
  const first = Math.min(...changes.map(({ seq }) => seq));
  const { aside, effect } = downstreamOf(run, first);
  if (changes.length > 0 && effect) {
    throw refuse(
      `entry ${first} is changed, and the effect ${effect.step.key} (entry ${effect.seq}) happened after it as it was; fork it at ${first}`,
    );
  }
  const note: Forked = {
    kind: "note",
    note: "forked",
    from: runId,
    shared: at,
    by,
    ...(replays ? { replays } : {}),
    ...(drift ? { drift } : {}),
    ...(countSpent ? { countsSpent: true } : {}),
    ...(changes.length > 0 ? { changed: changes.map(({ seq }) => seq), aside } : {}),
  };
  const prefix = entries.slice(0, at);
  const named = await blobsNamedIn(prefix, blobs);
  const inputDigest =
    set.input === undefined ? head.inputDigest : digestOf(redactor.apply("input", set.input));
  const copied = await copyRun(db, {
    run: head.run,
    at,
    id,
    note,
    changes,
    blobs: [...named.keys()],
    inputDigest,
    queueLimit,
    isReplay: replays !== undefined,
  });
  // An id that was made up here is there: the answer was lost, and it was sent again.
  if (copied !== "copied" && chosen === undefined && (await getHead(db, id))) return id;
  if (copied === "full") throw new HoldfastError("QUEUE_FULL", { limit: queueLimit ?? 0 });
  if (copied === "there") {
    const why = `there is a run ${id}`;
    throw new HoldfastError("COMMAND_NOT_ALLOWED", { runId, command: "fork", why });
  }
  return id;
}

/** An entry of the prefix with another value. */
export interface Change {
  readonly seq: number;
  readonly fact: Fact;
}

function changesIn(run: Run, { input, steps = {} }: ForkSet, redactor: Redactor, at: number): Change[] {
  const changes: Change[] = [];
  if (input !== undefined && run.start) {
    changes.push({
      seq: run.start.seq,
      fact: { ...factOf(run.start), value: encode(redactor.apply("input", input)) },
    });
  }
  for (const [key, { output }] of Object.entries(steps)) {
    const step = run.steps.get(key);
    if (step?.at !== "observed" && step?.at !== "done") {
      const why = `has a step that has no outcome in the first ${at} entries: ${key}`;
      throw new HoldfastError("INVALID_ARGUMENT", { argument: "set.steps", why });
    }
    const value = encode(redactor.apply("output", output));
    const fact: Fact =
      step.at === "done"
        ? { ...factOf(step.resolution), value }
        : { ...factOf(step.observation), ok: true, asks: undefined, value };
    changes.push({ seq: endOf(step), fact });
  }
  return changes;
}
