import type { Holdfast } from "@holdfast/core";
import { Counter, Gauge, Histogram, Registry } from "prom-client";
import type { Cursor, Place } from "./cursor.ts";
import type { Feed } from "./feed.ts";
import { getTaken, type Taken } from "./store/before.ts";
import { getCounts } from "./store/counts.ts";
import { isWorkedOn, type Told } from "./store/feed.ts";

const BUDGET = ["scope", "per"] as const;

const keyOf = ({ run, seq }: Place) => `${run}/${seq}`;

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
  readonly #claims = this.#histogram(
    "claim_seconds",
    "How long runs of the fleet were queued until a worker claimed them, by after what",
    ["after"],
  );
  readonly #replayed = this.#counter(
    "replayed_calls_total",
    "Calls that were on record when their run was gone on with: they are answered from there",
    ["call"],
  );
  readonly #replays = this.#counter("replays_total", "Replays that wrote a run of their own, by mode", [
    "mode",
  ]);
  readonly #prevented = this.#counter(
    "repeats_prevented_total",
    "Effects that a run begun anew would have had twice: on record when it was gone on with, or in doubt",
    ["because"],
  );
  readonly #holds = this.#counter("holds_total", "Calls that money was held for");
  readonly #held = this.#counter("held_micros_total", "Micro-dollars that were held for calls");
  readonly #budgetSpent = this.#gauge("budget_spent_micros", "Of an open window of a shared budget", BUDGET);
  readonly #budgetHeld = this.#gauge("budget_held_micros", "Held in it, for calls under way", BUDGET);
  readonly #budgetCap = this.#gauge("budget_cap_micros", "What it may spend, where that is limited", BUDGET);
  readonly #intents = this.#counter("intents_total", "Dispatches that were intended, by effect", ["effect"]);
  readonly #refusals = this.#counter("refusals_total", "Calls that policy refused");
  readonly #doubts = this.#counter(
    "doubts_total",
    "Calls of which nobody knew whether they happened: not repeated",
  );
  readonly #resolutions = this.#counter("resolutions_total", "Doubts that were settled", ["happened"]);
  readonly #outcomes = this.#counter("outcomes_total", "Runs that ended", ["status"]);
  readonly #seconds = this.#histogram(
    "call_seconds",
    "How long calls took, by what was called and whether it threw",
    ["call", "ok"],
  );
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
    const { db } = await this.#hf.opened();
    const { runs, oldestQueuedSeconds, workersAlive, deadLetters, budgets } = await getCounts(db);
    this.#runs.reset();
    for (const { status, waitingOn, runs: count } of runs)
      this.#runs.set({ status, waiting_on: waitingOn ?? "" }, count);
    this.#oldest.set(oldestQueuedSeconds);
    this.#workers.set(workersAlive);
    this.#dead.set(deadLetters);
    for (const gauge of [this.#budgetSpent, this.#budgetHeld, this.#budgetCap]) gauge.reset();
    for (const { scope, per, cap, spent, held } of budgets) {
      this.#budgetSpent.set({ scope, per }, spent);
      this.#budgetHeld.set({ scope, per }, held);
      if (cap !== null) this.#budgetCap.set({ scope, per }, cap);
    }
    await this.#count();
    return await this.#registry.metrics();
  }

  async #count(): Promise<void> {
    this.#told ??= await this.#feed.here();
    for await (const { told, next } of this.#feed.since(this.#told)) {
      const entries = told.map(({ entry }) => entry).filter(({ isCopy }) => !isCopy);
      const taken = await this.#taken(entries);
      for (const entry of entries) this.#add(entry, taken.get(keyOf(entry.place)));
      this.#told = next;
    }
  }

  async #taken(entries: readonly Told[]): Promise<Map<string, Taken>> {
    const takeovers = entries.filter(({ kind, body }) => kind === "takeover" && isWorkedOn(body));
    const taken = await getTaken(
      (await this.#hf.opened()).db,
      takeovers.map(({ place }) => place),
    );
    return new Map(taken.map((each) => [keyOf(each), each]));
  }

  #add({ kind, at, body }: Told, taken: Taken | undefined): void {
    const fields = JSON.parse(body) as Record<string, string | number | boolean | undefined>;
    const said = (field: string) => String(fields[field]);
    if (kind === "takeover") this.#takeovers.inc({ after: said("after") });
    if (taken) this.#take(taken, at, said("after"), fields.due);
    if (kind === "intent") {
      this.#intents.inc({ effect: said("effect") });
      if (typeof fields.hold === "number") {
        this.#holds.inc();
        this.#held.inc(fields.hold);
      }
    }
    if (kind === "note" && fields.note === "forked" && fields.replays !== undefined)
      this.#replays.inc({ mode: said("replays") });
    if (kind === "doubt") this.#prevented.inc({ because: "doubt" });
    if (kind === "refusal") this.#refusals.inc();
    if (kind === "doubt") this.#doubts.inc();
    if (kind === "resolution") this.#resolutions.inc({ happened: said("happened") });
    if (kind === "outcome") this.#outcomes.inc({ status: said("status") });
    if (kind === "observation" && typeof fields.ms === "number")
      this.#seconds.observe({ call: said("call"), ok: said("ok") }, fields.ms / 1000);
  }

  #take({ inline, queuedAt, effects, ...calls }: Taken, at: Date, after: string, due: unknown): void {
    if (!inline) {
      const since = Math.max(queuedAt.getTime(), typeof due === "string" ? Date.parse(due) : 0);
      this.#claims.observe({ after }, Math.max(0, at.getTime() - since) / 1000);
    }
    for (const call of ["model", "tool", "step"] as const) this.#replayed.inc({ call }, calls[call]);
    this.#prevented.inc({ because: "record" }, effects);
  }

  #histogram<L extends string>(name: string, help: string, labelNames: readonly L[]): Histogram<L> {
    return new Histogram({
      name: `holdfast_${name}`,
      help,
      labelNames: [...labelNames],
      buckets: BUCKETS,
      registers: [this.#registry],
    });
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
