import { canKeep, decode, encode } from "../codec.ts";
import { type Difference, differencesIn, differenceText } from "../diff/difference.ts";
import type { AgentContext } from "../fleet/agent.ts";
import { contextOf } from "../fleet/context.ts";
import { toPlain } from "../json.ts";
import type { Outcome } from "../ledger/entry.ts";
import { parseKey } from "../ledger/key.ts";
import { askedIn, type RecordedRun } from "../recorded-run.ts";
import { outside } from "../scope.ts";
import { type Departing, Tracer, type TraceSettings, unservedIn } from "./tracer.ts";

/** A place at which the code does something else than is on record. */
export interface Departure {
  /**
   * `drift`: a model is asked something else. `diverged`: the code calls what is not on record, or with other arguments.
   * `missed`: it does not call what is on record. `end`: it ends in another way than the run did.
   */
  readonly at: "drift" | "diverged" | "missed" | "end";
  /** The step's key; undefined where it is about no step. */
  readonly step: string | undefined;
  readonly lane: string;
  /** Of a model call: which one in its lane, from 1. */
  readonly turn: number | undefined;
  readonly why: string;
  /** How what the code asks, or comes to, differs from what is on record. */
  readonly differences: readonly Difference[];
}

/** What came of running an agent's code over the record of a run, with nothing live. */
export interface Trace<T = unknown> {
  readonly runId: string;
  /** The code did what is on record, all of it and nothing else, and ended as the run did, byte for byte. */
  readonly follows: boolean;
  /** Where it did not, in order: the first is the one to look at. After a drift the record was used all the same. */
  readonly departures: readonly Departure[];
  /** How many calls were answered from the record. */
  readonly calls: number;
  /** `settled`: the work came to its end. `record`: the record of an unfinished or failed run did. `stopped`: at a departure. */
  readonly ended: "settled" | "record" | "stopped";
  /** What the work came to. */
  readonly value: T | undefined;
  /** What the work rejected with. */
  readonly error: unknown;
}

/** What is done over a record: it is given the run's input, and what a handler of the fleet is told beside it. */
export type Work<T, I = never> = (input: I, context: AgentContext) => T | PromiseLike<T>;

export interface Traced<T> {
  readonly trace: Trace<T>;
  readonly tracer: Tracer;
}

type Settled<T> =
  | { readonly as: "value"; readonly value: T }
  | { readonly as: "error"; readonly error: unknown }
  | { readonly as: "stopped" };

/**
 * Runs `work` over the record. Every model call, tool call and step is answered from it; a call that is not on it never
 * settles, and the trace ends there. `readChild` reads the record of a run that is begun inside this one.
 */
export async function traceRun<T>(
  recorded: RecordedRun,
  work: Work<T>,
  settings: TraceSettings,
  readChild?: (id: string) => Promise<RecordedRun>,
): Promise<Traced<T>> {
  const child =
    readChild &&
    (async <C>(id: string, inner: () => C | PromiseLike<C>): Promise<C> => {
      const read = outside(() => readChild(id));
      const record = await read.catch((error: Error) =>
        tracer.trace.refuse(`the run ${id}: ${error.message}`),
      );
      const { trace } = await outside(() => traceRun<C>(record, inner, settings, readChild));
      const [first] = trace.departures;
      if (first)
        tracer.trace.refuse(`its child ${id} leaves its record at ${first.step ?? "its end"}: ${first.why}`);
      if (trace.error !== undefined) throw trace.error;
      return trace.value as C;
    });
  const tracer = new Tracer(recorded.runId, recorded.entries, settings, child);
  const { input: started } = tracer.run;
  const input = (started === undefined ? undefined : decode(started)) as never;

  const working = tracer.root.enter(async (): Promise<Settled<T>> => {
    try {
      const value = await work(input, contextOf(recorded.runId, tracer.run));
      await tracer.settled();
      return { as: "value", value };
    } catch (error) {
      return { as: "error", error };
    }
  });
  const settled = await Promise.race([working, tracer.stopped.then(() => ({ as: "stopped" }) as const)]);

  const departures = [];
  for (const departing of tracer.departings) {
    if (departing.at !== "past the end") departures.push(await departureOf(recorded, tracer, departing));
  }
  const stopped = tracer.departings.at(-1);
  const ended = stopped?.at === "past the end" ? "record" : settled.as === "stopped" ? "stopped" : "settled";
  if (ended === "settled") departures.push(...missed(tracer), ...otherEnd(tracer, settled, settings));
  return {
    tracer,
    trace: {
      runId: recorded.runId,
      follows: departures.length === 0,
      departures,
      calls: tracer.served.size,
      ended,
      value: settled.as === "value" ? settled.value : undefined,
      error: settled.as === "error" ? settled.error : undefined,
    },
  };
}

/** A departure as it reads in a terminal. */
export function departureText({ at, step, lane, turn, why, differences }: Departure): string {
  const where =
    turn !== undefined
      ? `at turn ${turn} of ${lane || "the run"} (${step})`
      : step
        ? `at ${step}`
        : "at its end";
  const what =
    at === "drift" ? "drifts from its record" : at === "end" ? "ends otherwise" : "leaves its record";
  const shown = differences.map((difference) => differenceText(difference, "  "));
  return [`The code ${what} ${where}: ${why}.`, ...shown].join("\n");
}

async function departureOf(recorded: RecordedRun, tracer: Tracer, departing: Departing): Promise<Departure> {
  const { at, step: key, why, asks } = departing;
  const step = tracer.run.steps.get(key);
  const was = step && (await askedIn(recorded, step));
  return {
    at: at === "drift" ? "drift" : "diverged",
    step: key === "" ? undefined : key,
    ...placeOf(key),
    why,
    differences: was === undefined && asks === undefined ? [] : differencesIn(was, asks),
  };
}

function missed({ run, served }: Tracer): Departure[] {
  const steps = unservedIn(run, served);
  const [first] = steps;
  if (!first) return [];
  const more = steps.length > 1 ? `, and ${steps.length - 1} more` : "";
  const why = `it does not come to ${first.name}, which is on record${more}`;
  return [{ at: "missed", step: first.key, ...placeOf(first.key), why, differences: [] }];
}

function otherEnd<T>({ run }: Tracer, settled: Settled<T>, { redactor }: TraceSettings): Departure[] {
  const { outcome } = run;
  if (!outcome || outcome.status === "cancelled" || settled.as === "stopped") return [];
  const end = (why: string, before: unknown, after: unknown): Departure[] => [
    { at: "end", step: undefined, lane: "", turn: undefined, why, differences: differencesIn(before, after) },
  ];
  const was = recordedEnd(outcome);
  if (settled.as === "error") {
    const is = errorText(settled.error);
    if (outcome.status === "succeeded") return end("the run succeeded, and the code throws", undefined, is);
    return is === was ? [] : end("it throws another error than the run failed with", was, is);
  }
  if (outcome.status === "failed") return end("the run failed, and the code succeeds", was, undefined);
  const kept = canKeep(settled.value);
  if (!kept && !outcome.kept) return [];
  const is = kept ? encode(redactor.apply("value", settled.value)) : undefined;
  if (is === outcome.value) return [];
  return end("it returns another value", was, is === undefined ? "no data" : toPlain(decode(is)));
}

function recordedEnd({ status, kept, value }: Outcome): unknown {
  if (!kept) return "no data";
  const ended = value === undefined ? undefined : decode(value);
  return status === "failed" ? errorText(ended) : toPlain(ended);
}

const errorText = (error: unknown) =>
  error instanceof Error ? `${error.name}: ${error.message}` : String(error);

function placeOf(key: string): { lane: string; turn: number | undefined } {
  const { lane, place } = parseKey(key);
  return { lane, turn: place?.name === "model" ? place.n + 1 : undefined };
}
