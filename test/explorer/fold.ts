import { type Effect, type Entry, type Fact, stamped } from "../../packages/core/src/ledger/entry.ts";
import { idempotencyKeyOf } from "../../packages/core/src/ledger/key.ts";
import { doubtsOf, type Run, replay } from "../../packages/core/src/ledger/replay.ts";

/** The product's own fold of a run's first entries. Undefined: the product cannot read them (LEDGER_CORRUPT). */
export function fold(effects: readonly Effect[], ledger: string): Run | undefined {
  let runs = folded.get(effects);
  if (!runs) {
    runs = new Map();
    folded.set(effects, runs);
  }
  if (runs.has(ledger)) return runs.get(ledger);
  let run: Run | undefined;
  try {
    run = replay(entriesOf(effects, ledger));
  } catch {
    run = undefined;
  }
  runs.set(ledger, run);
  return run;
}

/** The steps that wait for a decision, as the product lists them. `abandoned`: nobody works on the run. */
export const doubtsIn = (run: Run, abandoned: boolean): { step: number; at: string }[] =>
  doubtsOf(run, abandoned).map(({ key, at }) => ({ step: numberOf(key), at }));

/**
 * All of a ledger that what comes after depends on: a letter for what each step is at, and whether it was intended in the
 * epoch that the ledger ends in. Ledgers with the same letters have the same future.
 */
export function lettersOf(effects: readonly Effect[], ledger: string): string {
  const run = fold(effects, ledger);
  if (!run) return ledger;
  let letters = "";
  for (const step of effects.keys()) {
    const known = run.steps.get(keyOf(step));
    const isOpen = known?.at === "intended" || known?.at === "doubted";
    letters += known ? known.at.slice(0, 3) + (isOpen && known.intent.epoch < run.epoch ? "<" : "") : ".";
  }
  return letters;
}

export const keyOf = (step: number) => `${step}#0`;
const numberOf = (key: string) => Number(key[0]);

export const seqOf = (ledger: string) => ledger.length / 3;
export const upTo = (ledger: string, seq: number) => ledger.slice(0, seq * 3);

/** Folds do not change once made: every state with the same ledger shares one. */
const folded = new Map<readonly Effect[], Map<string, Run | undefined>>();

function* entriesOf(effects: readonly Effect[], ledger: string): Generator<Entry> {
  for (let at = 0; at < ledger.length; at += 3) {
    const step = Number(ledger[at + 1]);
    const fact = factOf(ledger[at] as string, step, effects[step] ?? "once");
    yield stamped(fact, {
      runId: "r",
      seq: at / 3 + 1,
      epoch: Number.parseInt(ledger[at + 2] as string, 36),
      at: new Date(0),
    });
  }
}

function factOf(kind: string, n: number, effect: Effect): Fact {
  const step = keyOf(n);
  const call = { step, call: "tool", name: String(n), digest: "d" } as const;
  switch (kind) {
    case "S":
      return { kind: "start", inline: true };
    case "T":
      return { kind: "takeover", worker: "host:1", after: "crash" };
    case "I":
      return { kind: "intent", ...call, effect, key: idempotencyKeyOf("r", step) };
    case "O":
      return { kind: "observation", ...call, ok: true };
    case "D":
      return { kind: "doubt", step, why: "it may have gone out" };
    case "P":
      return { kind: "note", note: "parked", waitingOn: "doubt" };
    case "E":
      return { kind: "outcome", status: "succeeded", kept: true };
    case "Y": // the tool says so
      return { kind: "resolution", step, happened: true, by: "reconcile" };
    case "N":
      return { kind: "resolution", step, happened: false, by: "reconcile" };
    case "y": // a person says so
      return { kind: "resolution", step, happened: true, by: "ana" };
    case "n":
      return { kind: "resolution", step, happened: false, by: "ana" };
    case "h": // the owner did not let it go out
      return { kind: "resolution", step, happened: false, by: "holdfast" };
    default:
      throw new Error(`no fact is written ${kind}`);
  }
}
