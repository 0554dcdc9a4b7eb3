import { HoldfastError } from "./errors.ts";
import { Flights } from "./flights.ts";
import type { Database } from "./store/database.ts";
import {
  type Append,
  type Appended,
  append,
  MOST_FACTS,
  MOST_RUNS,
  type Short,
  type Uncounted,
  whyRefused,
} from "./store/ledger.ts";
import { isAway } from "./store/pg.ts";

interface Waiting {
  readonly append: Append;
  readonly landed: (appended: Appended | Short) => void;
  readonly refused: (error: unknown) => void;
}

/** Appends what all runs of this process have to say. A run has at most one append under way (see run-writer.ts). */
export class Appender {
  readonly #db: Database;
  readonly #flights: Flights<Waiting>;
  readonly #onLanded: () => void;

  /** `onLanded`: appends of runs have landed. */
  constructor(db: Database, onLanded: () => void = () => {}) {
    this.#db = db;
    this.#flights = new Flights((flight) => this.#send(flight), seats);
    this.#onLanded = onLanded;
  }

  /**
   * Resolves when the facts are durable, or with the shared budget that has too little left for them. Rejects with FENCED
   * where the run was taken over. Then, and where it is short, nothing was written.
   */
  append(append: Uncounted): Promise<Appended>;
  append(append: Append): Promise<Appended | Short>;
  append(append: Append): Promise<Appended | Short> {
    return new Promise((landed, refused) => this.#flights.board({ append, landed, refused }));
  }

  /** An append landed that went another way: in a statement or a transaction of its own. */
  moved(): void {
    this.#onLanded();
  }

  async #send(flight: Waiting[]): Promise<void> {
    let answers: (Appended | Short | undefined)[];
    try {
      answers = await append(
        this.#db,
        flight.map(({ append }) => append),
        { wakes: false }, // the few that would wake a run are sent alone
      );
    } catch (error) {
      if (flight.length === 1 || HoldfastError.is(error) || isAway(error)) {
        for (const { refused } of flight) refused(error);
      } else {
        // One bad row fails the statement as a whole. Its runs are tried apart, so that it stops nobody else.
        for (const waiting of flight) void this.#alone(waiting);
      }
      return;
    }
    this.#onLanded();
    for (const [i, waiting] of flight.entries()) {
      const landed = answers[i];
      // It may be short only because of those it travelled with.
      if (landed && "short" in landed && flight.length > 1) void this.#alone(waiting);
      else if (landed) waiting.landed(landed);
      else void this.#settleRefused(waiting);
    }
  }

  async #alone(waiting: Waiting): Promise<void> {
    try {
      const [landed] = await append(this.#db, [waiting.append]);
      if (landed) waiting.landed(landed);
      else await this.#settleRefused(waiting);
    } catch (error) {
      waiting.refused(error);
    }
  }

  async #settleRefused(waiting: Waiting): Promise<void> {
    try {
      const why = await whyRefused(this.#db, waiting.append);
      if (why === "busy") await this.#alone(waiting);
      else if (HoldfastError.is(why)) waiting.refused(why);
      else waiting.landed(why as Appended);
    } catch (error) {
      waiting.refused(error);
    }
  }
}

/** So many of the appends that wait are no more runs and facts than one statement takes. */
function seats(waiting: readonly Waiting[]): number {
  let facts = 0;
  let n = 0;
  for (const { append } of waiting) {
    facts += append.facts.length + (append.blobs?.length ?? 0) + (append.changes?.length ?? 0);
    if (n > 0 && (n === MOST_RUNS || facts > MOST_FACTS)) break;
    n++;
  }
  return n;
}
