import { type Limits, leftOf, NOTHING, plus, tighter } from "./budget/amount.ts";
import type { Applying } from "./budget/shared.ts";
import { lookAtBudgets, openWindow, type Per } from "./store/budgets.ts";
import type { Database } from "./store/database.ts";

/** A window that this process has opened: until when it is open, by its own clock. */
interface Window {
  readonly budget: string;
  readonly until: number;
}

/** Windows are opened once a process: what follows finds them. */
const opened = new WeakMap<Database, Map<string, Promise<Window>>>();

/** What is left in the shared budgets of a run, as far as it is known. */
export interface Room {
  readonly left: Limits;
  /** What would be left if nothing were held. */
  readonly unheld: Limits;
  /** When the window ends that has too little left, in milliseconds. */
  readonly ms: number;
}

/** The budgets that a run shares with others, in the windows that the database's clock is in. */
export class SharedBudgets {
  readonly #db: Database;
  readonly #applying: readonly Applying[];
  #budgets: readonly string[] = [];

  constructor(db: Database, applying: readonly Applying[]) {
    this.#db = db;
    this.#applying = applying;
  }

  /** The tightest cap, unit by unit: what is limited at all. */
  get cap(): Limits {
    return this.#applying.reduce<Limits>((cap, applying) => tighter(cap, applying.cap), {});
  }

  /** The rows to hold money in now, by name. */
  get budgets(): readonly string[] | undefined {
    return this.#budgets.length > 0 ? this.#budgets : undefined;
  }

  /** Opens the windows, where that has not been done. */
  async open(): Promise<void> {
    this.#budgets = await Promise.all(this.#applying.map((applying) => this.#open(applying)));
  }

  /** What is left of them by now. */
  async look(): Promise<Room> {
    const standings = await lookAtBudgets(this.#db, this.#budgets);
    const over = standings.filter(({ ms }) => ms <= 0).map(({ budget }) => budget);
    if (over.length > 0 || standings.length < this.#budgets.length) {
      opened.delete(this.#db); // the clocks differ: the database's window is over
      await this.open();
      return { left: {}, unheld: {}, ms: 0 };
    }
    let room: Room = { left: {}, unheld: {}, ms: Number.POSITIVE_INFINITY };
    for (const { cap, spent, held, ms } of standings) {
      room = {
        left: tighter(room.left, leftOf(cap, plus(spent, held))),
        unheld: tighter(room.unheld, leftOf(cap, plus(spent, NOTHING))),
        ms: Math.min(room.ms, ms),
      };
    }
    return room;
  }

  async #open({ scope, per, cap }: Applying): Promise<string> {
    const windows = opened.get(this.#db) ?? new Map<string, Promise<Window>>();
    opened.set(this.#db, windows);
    const name = `${scope}/${per}/${JSON.stringify(cap)}`;
    const known = await windows.get(name);
    if (known && performance.now() < known.until) return known.budget;
    const opening = openWindow(this.#db, scope, per as Per, cap).then(({ budget, ms }) => ({
      budget,
      until: performance.now() + ms,
    }));
    windows.set(name, opening);
    opening.catch(() => windows.delete(name));
    return (await opening).budget;
  }
}
