import { decode, type Encoded } from "./codec.ts";
import { align, type Pair } from "./diff/align.ts";
import { type Difference, differencesIn, differenceText } from "./diff/difference.ts";
import { toPlain } from "./json.ts";
import type { CallKind, Outcome, Usage } from "./ledger/entry.ts";
import { parseKey } from "./ledger/key.ts";
import { type Run, replay, type Step } from "./ledger/replay.ts";
import { must } from "./must.ts";
import { askedIn, type RecordedRun } from "./recorded-run.ts";

/** One step of two runs, side by side. */
export interface StepDiff {
  /**
   * `same`: it asks the same, and the same came of it. `changed`: it asks the same, and something else came of it.
   * `drifted`: it asks something else. `only a`, `only b`: the other run has no step in its place.
   */
  readonly at: "same" | "changed" | "drifted" | "only a" | "only b";
  readonly lane: string;
  readonly call: CallKind | undefined;
  readonly name: string;
  /** The step's key in each. */
  readonly a: string | undefined;
  readonly b: string | undefined;
  /** How what is asked differs. */
  readonly asked: readonly Difference[];
  /** How what came of it differs. */
  readonly outcome: readonly Difference[];
  readonly usage: { readonly a: Usage | undefined; readonly b: Usage | undefined };
  /** In micro-dollars. */
  readonly cost: { readonly a: number | undefined; readonly b: number | undefined };
  /** How long the call took, in milliseconds. */
  readonly ms: { readonly a: number | undefined; readonly b: number | undefined };
}

/** What a run came to in all. */
export interface RunTotals {
  readonly runId: string;
  readonly status: Outcome["status"] | "unfinished";
  readonly calls: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
  /** In micro-dollars. */
  readonly cost: number;
  /** From its first entry to its last, in milliseconds. */
  readonly ms: number;
}

export interface RunDiff {
  /** Both did the same, and the same came of it. */
  readonly same: boolean;
  readonly a: RunTotals;
  readonly b: RunTotals;
  readonly input: readonly Difference[];
  readonly steps: readonly StepDiff[];
  /** How what they ended with differs: a value, or an error. */
  readonly end: readonly Difference[];
}

/** What one run did against what another did. No I/O but reading what is on record. */
export async function diffRuns(a: RecordedRun, b: RecordedRun): Promise<RunDiff> {
  const [runA, runB] = [replay(a.entries), replay(b.entries)];
  const steps: StepDiff[] = [];
  for (const pair of align(runA, runB)) steps.push(await stepDiff(a, b, pair));
  const input = differencesIn(plain(runA.start?.value), plain(runB.start?.value));
  const end = differencesIn(endOf(runA.outcome), endOf(runB.outcome));
  return {
    same: input.length === 0 && end.length === 0 && steps.every(({ at }) => at === "same"),
    a: totalsOf(a, runA),
    b: totalsOf(b, runB),
    input,
    steps,
    end,
  };
}

async function stepDiff(inA: RecordedRun, inB: RecordedRun, { a, b }: Pair): Promise<StepDiff> {
  const step = must(a ?? b, "a step of one of both");
  const [was, is] = [a && outcomeOf(a), b && outcomeOf(b)];
  const drifted = a && b && a.digest !== b.digest;
  const outcome = a && b && was?.text !== is?.text ? differencesIn(was?.shown, is?.shown) : [];
  return {
    at: !b ? "only a" : !a ? "only b" : drifted ? "drifted" : was?.text === is?.text ? "same" : "changed",
    lane: parseKey(step.key).lane,
    call: callOf(step),
    name: step.name,
    a: a?.key,
    b: b?.key,
    asked: drifted ? differencesIn(await askedIn(inA, a), await askedIn(inB, b)) : [],
    outcome,
    usage: { a: a && usageOf(a), b: b && usageOf(b) },
    cost: { a: a && costOf(a), b: b && costOf(b) },
    ms: { a: a && msOf(a), b: b && msOf(b) },
  };
}

/** What came of a step: as text to compare, and as data to show. */
function outcomeOf(step: Step): { text: string; shown: unknown } {
  switch (step.at) {
    case "observed": {
      const { ok, value } = step.observation;
      return ok ? { text: `ok ${value}`, shown: plain(value) } : threw(value);
    }
    case "done":
      return { text: `ok ${step.resolution.value}`, shown: plain(step.resolution.value) };
    case "refused":
      return { text: `refused ${step.refusal.reason}`, shown: { refused: step.refusal.reason } };
    default:
      return { text: step.at, shown: { at: step.at } };
  }
}

/** Errors are compared without their stacks: those name places in files. */
function threw(value: Encoded | undefined): { text: string; shown: unknown } {
  const shown = { threw: plain(value) };
  return { text: JSON.stringify(shown), shown };
}

function endOf(outcome: Outcome | undefined): unknown {
  if (!outcome) return undefined;
  const { status, kept, value } = outcome;
  return status === "succeeded" ? { value: kept ? plain(value) : "no data" } : { [status]: plain(value) };
}

const plain = (value: Encoded | undefined) => (value === undefined ? undefined : toPlain(decode(value)));

const callOf = (step: Step): CallKind | undefined =>
  "intent" in step && step.intent
    ? step.intent.call
    : step.at === "observed"
      ? step.observation.call
      : undefined;

const usageOf = (step: Step) => (step.at === "observed" ? step.observation.usage : undefined);
const costOf = (step: Step) => (step.at === "observed" ? step.observation.cost : undefined);
const msOf = (step: Step) => (step.at === "observed" ? step.observation.ms : undefined);

function totalsOf({ runId, entries }: RecordedRun, { steps, outcome }: Run): RunTotals {
  const usages = [...steps.values()].map(usageOf);
  const sum = (of: "inputTokens" | "outputTokens") =>
    usages.reduce((total, usage) => total + (usage?.[of] ?? 0), 0);
  const [first, last] = [entries[0], entries.at(-1)];
  return {
    runId,
    status: outcome?.status ?? "unfinished",
    calls: steps.size,
    inputTokens: sum("inputTokens"),
    outputTokens: sum("outputTokens"),
    cost: [...steps.values()].reduce((total, step) => total + (costOf(step) ?? 0), 0),
    ms: first && last ? last.at.getTime() - first.at.getTime() : 0,
  };
}

/** A diff as it reads in a terminal. Steps that are the same are one line each. */
export function runDiffText({ a, b, input, steps, end }: RunDiff): string {
  const both = (of: (totals: RunTotals) => string | number) => `${of(a)} → ${of(b)}`;
  const shown = (title: string, differences: readonly Difference[]) =>
    differences.length === 0
      ? []
      : [`    ${title}`, ...differences.map((each) => differenceText(each, "      "))];
  return [
    `${a.runId} → ${b.runId}`,
    ...shown("input", input),
    ...steps.flatMap((step) => [
      `  ${step.at.padEnd(8)} ${step.a ?? step.b}${measured(step)}`,
      ...shown("asked", step.asked),
      ...shown("outcome", step.outcome),
    ]),
    ...shown("end", end),
    `  ${both(({ status }) => status)} · calls ${both(({ calls }) => calls)}` +
      ` · tokens in ${both(({ inputTokens }) => inputTokens)}, out ${both(({ outputTokens }) => outputTokens)}` +
      (a.cost + b.cost > 0 ? ` · ${both(({ cost }) => cost)} micro-dollars` : "") +
      ` · ${both(({ ms }) => ms)} ms`,
  ].join("\n");
}

function measured({ at, usage, ms }: StepDiff): string {
  const tokens = (usage: Usage | undefined) => usage && (usage.inputTokens ?? 0) + (usage.outputTokens ?? 0);
  const of = (a: number | undefined, b: number | undefined, unit: string) => {
    if (a === undefined && b === undefined) return "";
    const one = at === "only a" ? a : at === "only b" ? b : undefined;
    return one !== undefined ? `  ${one} ${unit}` : `  ${a ?? "–"} → ${b ?? "–"} ${unit}`;
  };
  return of(tokens(usage.a), tokens(usage.b), "tokens") + of(ms.a, ms.b, "ms");
}
