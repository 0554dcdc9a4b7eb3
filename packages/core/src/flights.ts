/** After so long a flight is late, and the next one goes without waiting for it. The pool bounds how many there are. */
const LATE_MS = 20;

/**
 * Group commit: what asks to be written takes off in one statement at a time, as long as that is answered in time; what comes
 * meanwhile travels with the next one.
 */
export class Flights<Passenger> {
  readonly #send: (flight: Passenger[]) => Promise<void>;
  readonly #seats: (waiting: readonly Passenger[]) => number;
  #waiting: Passenger[] = [];
  #flying = false;
  /** How many the last flight took. */
  #took = 0;

  /** `send` tells its passengers what came of it, and never rejects. `seats`: so many of the first that wait fit into one. */
  constructor(
    send: (flight: Passenger[]) => Promise<void>,
    seats: (waiting: readonly Passenger[]) => number,
  ) {
    this.#send = send;
    this.#seats = seats;
  }

  board(passenger: Passenger): void {
    this.#waiting.push(passenger);
    if (this.#flying) return;
    this.#flying = true;
    // Those that have landed together come again together: the first of them waits for the others of its turn.
    if (this.#took > 1) setImmediate(() => void this.#fly());
    else void this.#fly();
  }

  async #fly(): Promise<void> {
    // A flight that is late (somebody holds the head of its one run) must not keep the others on the ground.
    let late = false;
    const clear = () => {
      late = true;
      this.#flying = this.#waiting.length > 0;
      if (this.#flying) void this.#fly();
    };
    while (this.#waiting.length > 0 && !late) {
      const timer = setTimeout(clear, LATE_MS);
      const flight = this.#waiting.splice(0, this.#seats(this.#waiting));
      this.#took = flight.length;
      await this.#send(flight);
      clearTimeout(timer);
    }
    if (!late) this.#flying = false;
  }
}
