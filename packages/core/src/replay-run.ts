import { decode } from "./codec.ts";
import { HoldfastError } from "./errors.ts";
import { contextOf } from "./fleet/context.ts";
import { type ForkSet, forkRun } from "./fork-run.ts";
import { prefixOf } from "./ledger/fork.ts";
import { replay } from "./ledger/replay.ts";
import type { Substitution } from "./port.ts";
import { type RecordedRun, readRecordedRun } from "./recorded-run.ts";
import { diffRuns, type RunDiff } from "./run-diff.ts";
import { outside } from "./scope.ts";
import { Session } from "./session.ts";
import type { RunSettings } from "./settings.ts";
import { StandIn, type Stub } from "./stand-in.ts";
import type { Database } from "./store/database.ts";
import type { Head } from "./store/runs.ts";
import { traceRun, type Work } from "./trace/trace.ts";

export interface ReplayOptions {
  /**
   * `mock-tools`: models are asked anew, and tools answer what is on record for their name and arguments. `counterfactual`:
   * what `set` says was otherwise, and models are asked anew only where that makes them be asked something else.
   */
  readonly mode: "mock-tools" | "counterfactual";
  /** Up to this entry the record stands; behind it the mode decides. Default 1: the whole run is replayed. */
  readonly from?: number | undefined;
  readonly set?: ReplaySet | undefined;
  /** What answers for tools whose calls are not on record, by their names. */
  readonly stubs?: Readonly<Record<string, Stub>> | undefined;
  /** Tools that are really called, one by one: their effects happen. */
  readonly live?: readonly string[] | undefined;
  /** The id of the replay's own run. Default: made up. */
  readonly id?: string | undefined;
  /** Who replays it. Recorded. */
  readonly by?: string | undefined;
}

/** What is to have been otherwise, in all calls of models that are made: of adapters that can put it into a request. */
export interface ReplaySet extends ForkSet, Substitution {}

/** What came of a replay. It has a run of its own, which says that it is one. */
export interface Replayed<T = unknown> {
  readonly id: string;
  readonly value: T | undefined;
  /** What the work rejected with. */
  readonly error: unknown;
  /** What the replay did against what the run did. */
  readonly diff: RunDiff;
}

/** Carries a session that was made for a run to its end. */
export type Carry = <T>(session: Session, work: () => T | PromiseLike<T>, id: string) => Promise<T>;

/**
 * Does `work` as a run of its own that begins with the first entries of another and whose calls the other's record answers.
 * The other is only read. Rejects with what stopped the replay: RUN_WAITING, DIVERGED, DATABASE_UNAVAILABLE and their like.
 */
export async function replayRun<T>(
  db: Database,
  recorded: RecordedRun & { readonly head: Head },
  work: Work<T>,
  { mode, from = 1, set = {}, stubs = {}, live = [], id: wanted, by }: ReplayOptions,
  settings: RunSettings,
  carry: Carry,
): Promise<Replayed<T>> {
  const { entries } = recorded;
  const record = replay(entries);
  const { input, steps = {}, model, prompt, ...unknown } = set;
  const missing = Object.keys(steps).find((key) => !record.steps.has(key));
  if (missing !== undefined) {
    const why = `has a step that is not on record: ${missing}`;
    throw new HoldfastError("INVALID_ARGUMENT", { argument: "set.steps", why });
  }
  const prefix = prefixOf(entries, from);
  const inPrefix = Object.fromEntries(Object.entries(steps).filter(([key]) => prefix.steps.has(key)));
  const fork = {
    at: from,
    by,
    set: { ...(input === undefined ? {} : { input }), steps: inPrefix, ...unknown },
    ...(wanted === undefined ? {} : { id: wanted }),
  };
  const id = await forkRun(db, recorded, fork, { redactor: settings.redactor, replays: mode });
  const standIn = new StandIn(record, prefix, {
    runId: id,
    mode,
    steps,
    stubs,
    live,
    otherModel: model !== undefined,
    redactor: settings.redactor,
  });
  const substitution =
    model === undefined && prompt === undefined
      ? undefined
      : { ...(model === undefined ? {} : { model }), ...(prompt === undefined ? {} : { prompt }) };
  const readChild = (child: string) => readRecordedRun(db, child, "replay");
  const session = new Session(id, {
    ...settings,
    standIn: { standIn, child: childOf(readChild, settings), set: substitution },
  });
  const mine = await readRecordedRun(db, id, "replay");
  const { input: started } = replay(mine.entries);
  const given = (started === undefined ? undefined : decode(started)) as never;
  // What it asks is to be what the other asked, also where its own name is part of that.
  const context = contextOf(recorded.runId, record);
  const [came] = await Promise.allSettled([
    carry(session, () => session.root.enter(async () => await work(given, context)), id),
  ]);
  const done = await readRecordedRun(db, id, "replay");
  // Without an end the replay was stopped, and what it came to says nothing of the work.
  if (came.status === "rejected" && !replay(done.entries).outcome) throw came.reason;
  const diff = await diffRuns(recorded, done);
  return came.status === "fulfilled"
    ? { id, value: came.value, error: undefined, diff }
    : { id, value: undefined, error: came.reason, diff };
}

/** A run that is begun inside a replay is only looked up: its own record answers. */
const childOf =
  (readChild: (id: string) => Promise<RecordedRun>, settings: RunSettings) =>
  async <C>(id: string, work: () => C | PromiseLike<C>): Promise<C> => {
    const { trace } = await outside(async () => traceRun<C>(await readChild(id), work, settings, readChild));
    const [first] = trace.departures;
    if (first) {
      const why = `a replay begins no run, and this one leaves its record: ${first.why}`;
      throw new HoldfastError("COMMAND_NOT_ALLOWED", { runId: id, command: "run", why });
    }
    if (trace.error !== undefined) throw trace.error;
    return trace.value as C;
  };
