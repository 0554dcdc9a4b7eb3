import type { Effect, Entry, Fact, Observation, Settled, Usage } from "../ledger/entry.ts";
import { type Amount, type Limits, minus, NOTHING, plus } from "./amount.ts";
import { tokensOf } from "./worst-case.ts";

/** What is held for a call until it is known what came of it. */
export interface Hold extends Amount {
  readonly step: string;
  readonly name: string;
  readonly epoch: number;
  /** The shared budgets it was taken from, each with its window. */
  readonly budgets: readonly string[];
  /** Was the call, if it was cut off, perhaps billed all the same? So it is where a repeat is another call. */
  readonly isBilled: boolean;
}

/** What one model has used in a run. */
export interface ModelSpending {
  readonly calls: number;
  readonly inputTokens: number;
  readonly cachedInputTokens: number;
  readonly outputTokens: number;
  readonly reasoningTokens: number;
  readonly cost: number;
}

/** What a run has spent and holds: a fold of its entries, so that a replay counts nothing twice. */
export interface Tally {
  cap: Limits | undefined;
  spent: Amount;
  /** So much of what is spent, in micro-dollars, is estimated. */
  estimated: number;
  readonly open: Map<string, Hold>;
  readonly models: Map<string, ModelSpending>;
}

export const newTally = (): Tally => ({
  cap: undefined,
  spent: NOTHING,
  estimated: 0,
  open: new Map(),
  models: new Map(),
});

/** What a fact moves: a hold that ends with it, what counts as spent by it, and a hold that begins. */
export interface Move {
  readonly ends?: Hold;
  readonly spent: Amount;
  readonly isEstimated: boolean | undefined;
  readonly begins?: Hold;
}

/** The only way from facts to money: the fold of a run and the rows of shared budgets both go by it. */
export function movesOf(open: ReadonlyMap<string, Hold>, fact: Fact, epoch: number): Move[] {
  switch (fact.kind) {
    case "intent": {
      if (fact.hold === undefined) return [];
      const { step, name, hold: micros, tokens = 0, budgets = [], effect } = fact;
      const isBilled = fact.call === "model" || effect === ("read" satisfies Effect);
      const begins: Hold = { step, name, epoch, micros, tokens, calls: 1, budgets, isBilled };
      const before = open.get(step);
      // The same effect again under the same key is paid once; the same question again is paid again.
      const ended = before ? [ends(before, before.isBilled)] : [];
      return [...ended, { begins, spent: NOTHING, isEstimated: false }];
    }
    case "observation":
      return [costs(open.get(fact.step), fact)];
    case "note": {
      if (fact.note !== "settled") return [];
      const hold = open.get(fact.step);
      const isReleased = fact.cost === 0 && !fact.usage;
      return [isReleased && hold ? ends(hold, false) : costs(hold, fact)];
    }
    case "resolution": {
      const hold = open.get(fact.step);
      if (!hold) return [];
      return [{ ...ends(hold, fact.happened), isEstimated: fact.happened && hold.tokens > 0 }];
    }
    case "outcome":
      return [...open.values()].map((hold) => ends(hold, true));
    default:
      return [];
  }
}

const ends = (hold: Hold, isSpent: boolean): Move => ({
  ends: hold,
  spent: isSpent ? hold : NOTHING,
  isEstimated: isSpent,
});

function costs(
  hold: Hold | undefined,
  { cost, usage, estimated }: Pick<Observation, "cost" | "usage" | "estimated">,
): Move {
  const spent = {
    micros: cost ?? hold?.micros ?? 0,
    tokens: usage ? tokensOf(usage) : (hold?.tokens ?? 0),
    calls: hold?.calls ?? 0,
  };
  return { ...(hold ? { ends: hold } : {}), spent, isEstimated: estimated };
}

/** Folds one more entry into a tally. */
export function tally(into: Tally, entry: Entry): void {
  if (entry.kind === "start") into.cap = entry.budget;
  if (entry.kind === "note" && entry.note === "forked" && !entry.countsSpent) startAnew(into);
  if (entry.kind === "command" && entry.command === "raiseBudget") into.cap = { ...into.cap, ...entry.to };
  for (const { ends, spent, isEstimated, begins } of movesOf(into.open, entry, entry.epoch)) {
    if (ends) into.open.delete(ends.step);
    into.spent = plus(into.spent, spent);
    if (isEstimated) into.estimated += spent.micros;
    if (begins) into.open.set(begins.step, begins);
  }
  if (entry.kind === "observation" && entry.call === "model") countModel(into, entry);
  if (entry.kind === "note" && entry.note === "settled") countModel(into, entry);
}

/** What the run it was forked from has spent, a fork has not, unless it says so: it shares its cap, and holds nothing. */
function startAnew(into: Tally): void {
  into.spent = NOTHING;
  into.estimated = 0;
  into.open.clear();
  into.models.clear();
}

function countModel(
  { models }: Tally,
  { name, usage, cost = 0 }: Pick<Observation, "name" | "usage" | "cost">,
): void {
  const before = models.get(name);
  const sum = (field: keyof Usage & keyof ModelSpending) => (before?.[field] ?? 0) + (usage?.[field] ?? 0);
  models.set(name, {
    calls: (before?.calls ?? 0) + 1,
    inputTokens: sum("inputTokens"),
    cachedInputTokens: sum("cachedInputTokens"),
    outputTokens: sum("outputTokens"),
    reasoningTokens: sum("reasoningTokens"),
    cost: (before?.cost ?? 0) + cost,
  });
}

/**
 * What an owner has to say of model calls that the one before it left behind: nobody will hear any more what they cost,
 * and they may have been billed. Of other calls their own entries will say so.
 */
export function cutOff({ open }: Tally, epoch: number): Settled[] {
  return [...open.values()]
    .filter((hold) => hold.isBilled && hold.epoch < epoch)
    .map(({ step, name, micros: cost }) => {
      const why = "the call was cut off, and may have been billed";
      return { kind: "note", note: "settled", step, name, why, cost, estimated: true };
    });
}

/** All that is held. */
export const heldIn = ({ open }: Tally): Amount => [...open.values()].reduce<Amount>(plus, NOTHING);

/** What facts change in one shared budget. */
export interface Change {
  readonly budget: string;
  readonly held: Amount;
  readonly spent: Amount;
  /** A hold begins: the change is let in only if it fits under the cap. */
  readonly takes: boolean;
  /** How many more of the run's holds are open after it than before, counted with one of their budgets only. */
  readonly opened: number;
}

/** What facts that follow each other change in the shared budgets, each budget once. Mostly nothing. */
export function changesOf({ open: held }: Tally, facts: readonly Fact[], epoch: number): Change[] {
  if (held.size === 0 && !facts.some((fact) => fact.kind === "intent" && fact.budgets)) return [];
  const open = new Map(held);
  const changes = new Map<string, Change>();
  const change = (hold: Hold, spent: Amount, sign: 1 | -1) => {
    for (const [i, budget] of hold.budgets.entries()) {
      const before = changes.get(budget) ?? {
        budget,
        held: NOTHING,
        spent: NOTHING,
        takes: false,
        opened: 0,
      };
      changes.set(budget, {
        budget,
        held: (sign > 0 ? plus : minus)(before.held, hold),
        spent: plus(before.spent, spent),
        takes: before.takes || sign > 0,
        opened: before.opened + (i === 0 ? sign : 0),
      });
    }
  };
  for (const fact of facts) {
    for (const { ends, spent, begins } of movesOf(open, fact, epoch)) {
      if (ends) change(ends, spent, -1);
      if (begins) change(begins, NOTHING, 1);
      if (ends) open.delete(ends.step);
      if (begins) open.set(begins.step, begins);
    }
  }
  return [...changes.values()];
}
