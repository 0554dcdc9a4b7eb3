import { HoldfastError } from "./errors.ts";
import { Flights } from "./flights.ts";
import type { Database } from "./store/database.ts";
import { isAway } from "./store/pg.ts";
import { type Created, type Creation, createInline } from "./store/runs.ts";

/** The most runs that are created in one statement. */
const MOST_RUNS = 64;

interface Waiting {
  readonly creation: Creation;
  readonly created: (created: Created | undefined) => void;
  readonly failed: (error: unknown) => void;
}

/** Creates the inline runs of this process: those that begin at the same time in one statement. */
export class Creator {
  readonly #db: Database;
  readonly #flights: Flights<Waiting>;

  constructor(db: Database) {
    this.#db = db;
    this.#flights = new Flights(
      (flight) => this.#send(flight),
      (waiting) => Math.min(waiting.length, MOST_RUNS),
    );
  }

  /** Creates a run that this process works on. Undefined: there is one of that id, or the worker is not alive. */
  create(creation: Creation): Promise<Created | undefined> {
    return new Promise((created, failed) => this.#flights.board({ creation, created, failed }));
  }

  async #send(flight: readonly Waiting[]): Promise<void> {
    try {
      const all = await createInline(
        this.#db,
        flight.map(({ creation }) => creation),
      );
      for (const [i, { created }] of flight.entries()) created(all[i]);
    } catch (error) {
      // One bad row fails the statement as a whole. Its runs are tried apart, so that it stops nobody else.
      if (flight.length > 1 && !HoldfastError.is(error) && !isAway(error)) {
        await Promise.all(flight.map((waiting) => this.#send([waiting])));
      } else for (const { failed } of flight) failed(error);
    }
  }
}
