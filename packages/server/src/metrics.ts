import type { Holdfast } from "@holdfast/core";
import { Counter, Gauge, Histogram, Registry } from "prom-client";
import type { Cursor } from "./cursor.ts";
import type { Feed } from "./feed.ts";
import { getCounts } from "./store/counts.ts";
import type { Told } from "./store/feed.ts";

/** Seconds that a call may take, a model's too. */
const BUCKETS = [0.01, 0.05, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 300];

/**
 * What Prometheus is told. Gauges are counted in the database when they are asked for; counters are a fold of the entries
 * that were committed since the server began, read from where the last reading ended. Of several servers each counts
 * everything: take the largest, not the sum.
 */
export class Metrics {
  readonly #registry = new Registry();
  readonly #runs = this.#gauge("runs", "Runs that have not ended, by status and by what they wait for", [
    "status",
    "waiting_on",
  ]);
  readonly #oldest = this.#gauge(
    "oldest_queued_seconds",
    "How long the run has waited that is queued longest",
  );
  readonly #workers = this.#gauge("workers_alive", "Workers whose leases are good");
  readonly #dead = this.#gauge("dead_letters", "Runs that ended badly and that nobody has redriven");
  readonly #takeovers = this.#counter("takeovers_total", "Epochs that began, by after what", ["after"]);
  readonly #intents = this.#counter("intents_total", "Dispatches that were intended, by effect", ["effect"]);
  readonly #refusals = this.#counter("refusals_total", "Calls that policy refused");
  readonly #doubts = this.#counter(
    "doubts_total",
    "Calls of which nobody knew whether they happened: not repeated",
  );
  readonly #resolutions = this.#counter("resolutions_total", "Doubts that were settled", ["happened"]);
  readonly #outcomes = this.#counter("outcomes_total", "Runs that ended", ["status"]);
  readonly #seconds = new Histogram({
    name: "holdfast_call_seconds",
    help: "How long calls took, by what was called and whether it threw",
    labelNames: ["call", "ok"],
    buckets: BUCKETS,
    registers: [this.#registry],
  });
  readonly #hf: Holdfast;
  readonly #feed: Feed;
  #told: Cursor | undefined;
  #asking: Promise<string> | undefined;

  constructor(hf: Holdfast, feed: Feed) {
    this.#hf = hf;
    this.#feed = feed;
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  /** Several that ask at once get one answer: nothing is counted twice. */
  async text(): Promise<string> {
    this.#asking ??= this.#text().finally(() => {
      this.#asking = undefined;
    });
    return await this.#asking;
  }

  async #text(): Promise<string> {
    const { runs, oldestQueuedSeconds, workersAlive, deadLetters } = await getCounts(
      (await this.#hf.opened()).db,
    );
    this.#runs.reset();
    for (const { status, waitingOn, runs: count } of runs)
      this.#runs.set({ status, waiting_on: waitingOn ?? "" }, count);
    this.#oldest.set(oldestQueuedSeconds);
    this.#workers.set(workersAlive);
    this.#dead.set(deadLetters);
    await this.#count();
    return await this.#registry.metrics();
  }

  async #count(): Promise<void> {
    this.#told ??= await this.#feed.here();
    for await (const { told, next } of this.#feed.since(this.#told)) {
      for (const { entry } of told) this.#add(entry);
      this.#told = next;
    }
  }

  #add({ kind, body }: Told): void {
    const fields = JSON.parse(body) as Record<string, string | number | boolean | undefined>;
    const said = (field: string) => String(fields[field]);
    if (kind === "takeover") this.#takeovers.inc({ after: said("after") });
    if (kind === "intent") this.#intents.inc({ effect: said("effect") });
    if (kind === "refusal") this.#refusals.inc();
    if (kind === "doubt") this.#doubts.inc();
    if (kind === "resolution") this.#resolutions.inc({ happened: said("happened") });
    if (kind === "outcome") this.#outcomes.inc({ status: said("status") });
    if (kind === "observation" && typeof fields.ms === "number")
      this.#seconds.observe({ call: said("call"), ok: said("ok") }, fields.ms / 1000);
  }

  #gauge<L extends string>(name: string, help: string, labelNames: readonly L[] = []): Gauge<L> {
    return new Gauge({
      name: `holdfast_${name}`,
      help,
      labelNames: [...labelNames],
      registers: [this.#registry],
    });
  }

  #counter<L extends string>(name: string, help: string, labelNames: readonly L[] = []): Counter<L> {
    return new Counter({
      name: `holdfast_${name}`,
      help,
      labelNames: [...labelNames],
      registers: [this.#registry],
    });
  }
}
