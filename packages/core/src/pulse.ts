/**
 * What the main loop and the heartbeat's thread tell each other without a message: a few 64-bit numbers in shared
 * memory. Both read the same monotonic clock (`process.hrtime`), in nanoseconds.
 */
export class Pulse {
  readonly memory: SharedArrayBuffer;
  readonly #cells: BigInt64Array;

  constructor(memory = new SharedArrayBuffer(8 * 5)) {
    this.memory = memory;
    this.#cells = new BigInt64Array(memory);
  }

  /** The main loop is turning. */
  tick(): void {
    Atomics.store(this.#cells, 0, process.hrtime.bigint());
  }

  /** How long ago the main loop last turned, in milliseconds. */
  stalledMs(): number {
    return Number(process.hrtime.bigint() - Atomics.load(this.#cells, 0)) / 1e6;
  }

  /**
   * The leases are good for `leaseMs` from a beat that was sent at these instants. A tenth is kept back: for clocks that
   * run at different speeds, and for what lies between a check and the call that it permits.
   */
  renewed(sent: bigint, sentWall: number, leaseMs: number): void {
    const goodMs = leaseMs * 0.9;
    Atomics.store(this.#cells, 2, BigInt(Math.round(sentWall + goodMs)));
    Atomics.store(this.#cells, 1, sent + BigInt(Math.round(goodMs * 1e6)));
  }

  /**
   * Are the leases over, as far as this process knows? The monotonic clock decides, but it stands still while a machine
   * sleeps: the wall clock running ahead of it says so too.
   */
  isOver(): boolean {
    return (
      process.hrtime.bigint() >= Atomics.load(this.#cells, 1) ||
      BigInt(Date.now()) >= Atomics.load(this.#cells, 2)
    );
  }

  /** A lease that ran out once is over for good, even if the next beat comes through: somebody may have taken the run. */
  lapse(): void {
    Atomics.add(this.#cells, 3, 1n);
  }

  /** How often the leases ran out. */
  get lapses(): bigint {
    return Atomics.load(this.#cells, 3);
  }

  /**
   * Which holding of its session lock this worker is in (where there can be none, which connection): another number each
   * time that it was lost and is back. 0: it is lost, and others may take its runs over.
   */
  get lock(): bigint {
    return Atomics.load(this.#cells, 4);
  }

  set lock(holding: bigint) {
    Atomics.store(this.#cells, 4, holding);
  }
}
