import type { Holdfast } from "@holdfast/core";
import { Gauge, Registry } from "prom-client";
import { getCounts } from "./store/counts.ts";

/** What Prometheus is told. Everything is counted from the ledger when it is asked for. */
export class Metrics {
  readonly #registry = new Registry();
  readonly #runs = this.#gauge("holdfast_runs", "Runs by status, and by what they wait for", [
    "status",
    "waiting_on",
  ]);
  readonly #oldest = this.#gauge(
    "holdfast_oldest_queued_seconds",
    "How long the run has waited that is queued longest",
  );
  readonly #workers = this.#gauge("holdfast_workers_alive", "Workers whose leases are good");
  readonly #hf: Holdfast;

  constructor(hf: Holdfast) {
    this.#hf = hf;
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  async text(): Promise<string> {
    const { db } = await this.#hf.opened();
    const { runs, oldestQueuedSeconds, workersAlive } = await getCounts(db);
    this.#runs.reset();
    for (const { status, waitingOn, runs: count } of runs)
      this.#runs.set({ status, waiting_on: waitingOn ?? "" }, count);
    this.#oldest.set(oldestQueuedSeconds);
    this.#workers.set(workersAlive);
    return await this.#registry.metrics();
  }

  #gauge<L extends string>(name: string, help: string, labelNames: readonly L[] = []): Gauge<L> {
    return new Gauge({ name, help, labelNames: [...labelNames], registers: [this.#registry] });
  }
}
