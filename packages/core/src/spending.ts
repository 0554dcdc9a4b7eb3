import { setTimeout as pause } from "node:timers/promises";
import { type Amount, fits, type Limits, leftOf, minus, NOTHING, plus, tighter } from "./budget/amount.ts";
import type { BudgetSettings } from "./budget/settings.ts";
import { type Billing, type Cost, settle, settleFailed } from "./budget/settle.ts";
import { applyingTo } from "./budget/shared.ts";
import { heldIn } from "./budget/tally.ts";
import { countInput, worstCase } from "./budget/worst-case.ts";
import { HoldfastError } from "./errors.ts";
import type { Lane } from "./lane.ts";
import type { Usage } from "./ledger/entry.ts";
import type { Run } from "./ledger/replay.ts";
import type { Parking } from "./parking.ts";
import { findPrice } from "./price-table.ts";
import type { ToolSettings } from "./settings.ts";
import { type Room, SharedBudgets } from "./shared-budgets.ts";
import type { Call } from "./step/call.ts";
import type { Database } from "./store/database.ts";

/** What a run may spend, where there is anything to count: a cap, a shared budget, or prices. */
export function spendingOf(means: SpendingMeans): Spending | undefined {
  const { run, settings, db } = means;
  const applying = applyingTo(settings.shared, run.start ?? {});
  const counts =
    settings.isMetered || settings.perRun !== undefined || run.tally.cap !== undefined || applying.length > 0;
  return counts ? new Spending(means, new SharedBudgets(db, applying)) : undefined;
}

/** What spending needs of its session. */
export interface SpendingMeans {
  readonly run: Run;
  readonly settings: BudgetSettings;
  readonly parking: Parking;
  readonly db: Database;
  readonly signal: AbortSignal;
  /** Waits until all that was said is in the ledger, and folded. */
  flush(): Promise<void>;
}

/** What an intent says of its hold. */
export interface Holding {
  readonly hold: number;
  readonly tokens?: number;
  readonly budgets?: readonly string[] | undefined;
}

/** A call that is about to go out. */
export interface Buyer {
  readonly call: Call<never>;
  readonly step: string;
  readonly lane: Lane;
  readonly declared: ToolSettings;
}

/** What a call would take of what is left. */
interface Want extends Amount {
  readonly bill: Bill;
}

/**
 * What one execution of a run may spend. A call that may cost something is held for before it goes out, by its intent; its
 * observation says what it cost. All that is spent and held is folded from the ledger: nothing is counted here but what is
 * on its way there.
 */
export class Spending {
  readonly #means: SpendingMeans;
  readonly #run: Run;
  readonly #settings: BudgetSettings;
  readonly #shared: SharedBudgets;
  /** Holds whose intents are said and not yet in the ledger, by step. */
  readonly #going = new Map<string, Amount>();

  constructor(means: SpendingMeans, shared: SharedBudgets) {
    this.#means = means;
    this.#run = means.run;
    this.#settings = means.settings;
    this.#shared = shared;
  }

  /**
   * Takes a call's hold by writing its intent, `intend`, which gives back whether a shared budget was too low for it. Gives
   * back what the call is billed by; undefined where it costs nothing that is counted. Throws BUDGET_EXHAUSTED,
   * INVALID_ARGUMENT; stays pending where the run parks.
   */
  async take(buyer: Buyer, intend: (holding: Holding) => Promise<unknown>): Promise<Bill | undefined> {
    const wanted = await this.#wants(buyer);
    if (!wanted?.isHeld) return wanted?.at({})?.bill;
    const { step } = buyer;
    const whole = wanted.at({});
    let room: Room | undefined;
    let isFlushed = false;
    for (const since = performance.now(); ; ) {
      await this.#shared.open();
      const want = wanted.at(tighter(this.#left(step), room?.left ?? {}));
      if (!isFlushed && want?.tokens !== whole?.tokens) {
        await this.#means.flush(); // what has been observed and not yet written still counts as held
        isFlushed = true;
        continue;
      }
      if (want) {
        if (!(await this.#tries(step, want, intend))) return want.bill;
        room = await this.#shared.look();
        continue;
      }
      const mayWait = performance.now() - since < WAIT_MS;
      if (!(mayWait && (await this.#outwait(buyer, wanted.at, room))))
        await this.#low(buyer, wanted.at, room);
      room = room && (await this.#shared.look());
    }
  }

  /** Gives back what was too low, if anything was. */
  async #tries(step: string, want: Want, intend: (holding: Holding) => Promise<unknown>): Promise<unknown> {
    this.#going.set(step, want);
    try {
      return await intend({ ...want.bill.holding, budgets: this.#shared.budgets });
    } finally {
      this.#going.delete(step);
    }
  }

  get #cap(): Limits {
    return this.#run.tally.cap ?? this.#settings.perRun ?? {};
  }

  /** What is left for a step. What is held for it from before counts no more: it is the same effect, and is paid once. */
  #left(step: string): Limits {
    const { tally } = this.#run;
    const going = [...this.#going.values()].reduce<Amount>(plus, NOTHING);
    const before = tally.open.get(step);
    const held = minus(plus(heldIn(tally), going), before && !before.isBilled ? before : NOTHING);
    return leftOf(this.#cap, plus(tally.spent, held));
  }

  /** What a call would take, by what is left. Undefined: nothing at all. */
  async #wants(buyer: Buyer): Promise<{ isHeld: boolean; at: At } | undefined> {
    const { call, declared, step } = buyer;
    const cap = tighter(this.#cap, this.#shared.cap);
    if (call.kind === "step") return undefined;
    if (call.kind === "tool") {
      const cost = costOfTool(call, declared);
      if (cost === 0 && cap.calls === undefined) return undefined;
      const want = { micros: cost, tokens: 0, calls: 1, bill: new ToolBill(cost) };
      return { isHeld: true, at: (left) => (fits(want, left) ? want : undefined) };
    }
    const isHeld = Object.keys(cap).length > 0;
    const asking = call.model;
    if (!asking) {
      if (!isHeld) return undefined;
      throw cannotCount(`${call.name} does not say what it may answer at most`, step, this.#run);
    }
    const price = await findPrice(this.#settings.prices, asking.provider, asking.model);
    if (!price && cap.micros !== undefined) {
      const name = `${asking.provider}/${asking.model}`;
      throw cannotCount(
        `${name} has no known price: declare it under prices, or a default as "*"`,
        step,
        this.#run,
      );
    }
    if (price && asking.isPaidByCall && price.perCall === 0 && cap.micros !== undefined) {
      throw cannotCount(
        `${call.name} is not paid by tokens alone: declare a price with perCall`,
        step,
        this.#run,
      );
    }
    const isUncapped = asking.maxOutputTokens === undefined && price?.maxOutputTokens === undefined;
    if (asking.isCapFixed && isUncapped && (cap.micros !== undefined || cap.tokens !== undefined)) {
      const why =
        "has no output cap, and none can be set here: give the model one, or declare maxOutputTokens";
      throw cannotCount(`${call.name} ${why} under prices`, step, this.#run);
    }
    const counted = countInput(call.input, price);
    const shortened = this.#settings.onLow === "clamp";
    return {
      isHeld,
      at: (left) => {
        const worst = worstCase(asking, counted, price, left, shortened);
        return worst && { ...worst, bill: new ModelBill({ asking, counted, price, worst }, isHeld) };
      },
    };
  }

  /** Nothing fits, but something may be given back that calls under way hold. False: nothing will, that would help. */
  async #outwait({ lane, step }: Buyer, at: At, room: Room | undefined): Promise<boolean> {
    const { tally } = this.#run;
    const others = () => [...tally.open.keys(), ...this.#going.keys()];
    const spent = tally.spent;
    const isSettled = () => tally.spent !== spent || at(this.#left(step)) !== undefined;
    if (!at(this.#left(step))) return await this.#means.parking.outwait(lane, step, isSettled, others);
    if (!room || !at(room.unheld)) return false;
    const { signal } = this.#means;
    await pause(LOOK_MS * (1 + Math.random()), undefined, { signal }).catch(() => {});
    // A run that stops meanwhile has nothing more to wait for: the call stays as it is.
    return signal.aborted ? await new Promise<never>(() => {}) : true;
  }

  /** There is too little left, and waiting for calls does not help. Parks the run until there is more, or throws. */
  async #low({ lane, step }: Buyer, at: At, room: Room | undefined): Promise<void> {
    const isRunLow = at(this.#left(step)) === undefined;
    if (this.#settings.onLow === "park") {
      const { tally } = this.#run;
      const spent = tally.spent;
      const isSettled = () => tally.spent !== spent || (isRunLow && at(this.#left(step)) !== undefined);
      const wakes = room && !isRunLow ? { wakeInMs: () => Math.max(0, room.ms) } : {};
      await this.#means.parking.wait(lane, { waitingOn: "budget", isSettled, step, ...wakes });
      return;
    }
    const left = tighter(this.#left(step), room?.left ?? {}).micros ?? 0;
    throw new HoldfastError("BUDGET_EXHAUSTED", { runId: this.#run.start?.runId ?? "", step, left });
  }
}

type At = (left: Limits) => Want | undefined;

/** How long a call waits for what others hold of a shared budget, and how often it looks. */
const WAIT_MS = 60_000;
const LOOK_MS = 50;

/** What a call is billed by, once it is known what came of it. */
export interface Bill {
  readonly holding: Holding;
  /** Is a hold open for the call? Else its cost is only reckoned. */
  readonly isHeld: boolean;
  /** The output cap that the model is to be asked with. Undefined: as the request has it. */
  readonly maxOutputTokens: number | undefined;
  settle(usage: Usage | undefined, ok: boolean): Cost;
  /** `said` is what had come of the answer. */
  settleFailed(error: unknown, said: unknown): Cost;
}

class ModelBill implements Bill {
  readonly holding: Holding;
  readonly isHeld: boolean;
  readonly #billing: Billing;

  constructor(billing: Billing, isHeld: boolean) {
    const { micros, tokens } = billing.worst;
    this.#billing = billing;
    this.isHeld = isHeld;
    this.holding = { hold: micros, tokens };
  }

  get maxOutputTokens(): number | undefined {
    return this.isHeld ? this.#billing.worst.maxOutputTokens : undefined;
  }

  settle(usage: Usage | undefined): Cost {
    return settle(usage, this.#billing);
  }

  settleFailed(error: unknown, said: unknown): Cost {
    return settleFailed(error, said, this.#billing);
  }
}

/** A tool's own money. That a tool threw does not say that nothing was spent. */
class ToolBill implements Bill {
  readonly holding: Holding;
  readonly isHeld = true;
  readonly maxOutputTokens = undefined;

  constructor(cost: number) {
    this.holding = { hold: cost };
  }

  settle(_: unknown, ok: boolean): Cost {
    const { hold: cost } = this.holding;
    if (cost === 0) return {};
    return ok ? { cost } : { cost, estimated: true };
  }

  settleFailed(): Cost {
    return this.settle(undefined, false);
  }
}

function costOfTool({ name, input }: Call<never>, { cost }: ToolSettings): number {
  const micros = cost?.(input as never) ?? 0;
  if (Number.isSafeInteger(micros) && micros >= 0) return micros;
  const why = `gave ${String(micros)}: it must give a whole number of micro-dollars, as usd() does`;
  throw new HoldfastError("INVALID_ARGUMENT", { argument: `tools["${name}"].cost`, why });
}

const cannotCount = (why: string, step: string, { start }: Run) =>
  new HoldfastError("INVALID_ARGUMENT", {
    argument: `The budget of run ${start?.runId}`,
    why: `cannot hold money for step ${step}: ${why}`,
  });
