import { setImmediate as nextTurn } from "node:timers/promises";
import { HoldfastError } from "../errors.ts";
import { must } from "../must.ts";
import type { Means } from "../owner.ts";
import type { Session } from "../session.ts";
import { noticeDead } from "../store/lease.ts";
import { readEntriesOf } from "../store/ledger.ts";
import { type Claimed, claim, type Line, MOST_CLAIMED, wakeDue } from "../store/queue.ts";
import { lookAround, registerAgents, type Sight } from "../store/watch.ts";
import { compareVersions, type Registered } from "./agent.ts";
import { tellEnds } from "./dependencies.ts";
import { execute } from "./execute.ts";
import type { Shared } from "./host.ts";
import { Listener } from "./listener.ts";
import { startDue } from "./schedules.ts";

export interface WorkerOptions {
  /** The names of the agents it works for. Default: all that this process has registered when it starts. */
  readonly agents?: readonly string[];
  /** How many runs it works on at once. Default 10. */
  readonly concurrency?: number;
  /** How many runs may be under way in the whole fleet, as far as this worker claims any. Default: no limit. */
  readonly fleetConcurrency?: number;
}

const OPTIONS = ["agents", "concurrency", "fleetConcurrency"];

/** How often a worker looks around that nobody wakes: for runs, for those whose time has come, and for dead workers. */
const LOOK_MS = 200;
/** How long a worker rests whose database is away. */
const AWAY_MS = 1_000;

/** Works on the runs of its agents, whoever started them: claims them, and carries each to its end, or as far as it goes. */
export class Worker {
  readonly #fleet: Shared;
  readonly #options: WorkerOptions;
  readonly #sessions = new Set<Session>();
  readonly #works = new Set<Promise<void>>();
  readonly #gone = new Map<number, { beats: string; since: number }>();
  /** What it failed to do at the last look. */
  readonly #failing = new Set<string>();
  #agents = new Map<string, Registered>();
  /** Agents of which a living worker has a newer version. */
  #outdated = new Set<string>();
  #turn = 0;
  #registeredAs = 0;
  #lookedAt = Number.NEGATIVE_INFINITY;
  #restMs = LOOK_MS;
  #mayBeMore = true;
  #state: "new" | "working" | "stopping" = "new";
  #living: Promise<void> | undefined;
  #listener: Listener | undefined;
  #wake = () => {};
  #woken = false;

  constructor(fleet: Shared, options: WorkerOptions = {}) {
    this.#fleet = fleet;
    this.#options = options;
    const { concurrency = 1, fleetConcurrency = 1 } = options;
    const refuse = (argument: string, why: string) =>
      new HoldfastError("INVALID_ARGUMENT", { argument, why });
    const unknown = Object.keys(options).find((option) => !OPTIONS.includes(option));
    if (unknown) throw refuse(unknown, `is no option; there are ${OPTIONS.join(", ")}`);
    for (const [argument, value] of Object.entries({ concurrency, fleetConcurrency })) {
      if (!Number.isInteger(value) || value < 1) throw refuse(argument, "must be a whole number from 1 on");
    }
  }

  /** How many runs it is at. */
  get running(): number {
    return this.#works.size;
  }

  /** Begins to claim runs. Throws INVALID_ARGUMENT for an agent that is not registered here, DATABASE_UNAVAILABLE. */
  async start(): Promise<void> {
    if (this.#state !== "new") {
      const why = "has been started already: ask hf.worker() for another";
      throw new HoldfastError("INVALID_ARGUMENT", { argument: "The worker", why });
    }
    const { agents = [...this.#fleet.agents.keys()] } = this.#options;
    for (const name of agents) {
      const registered = this.#fleet.agents.get(name);
      const why = `is not registered in this process; there are ${[...this.#fleet.agents.keys()].join(", ") || "none"}`;
      if (!registered) throw new HoldfastError("INVALID_ARGUMENT", { argument: `agent "${name}"`, why });
      this.#agents.set(name, registered);
    }
    const means = await this.#fleet.host.means();
    this.#state = "working";
    await this.#look(means);
    this.#listener = new Listener(means.db.connection, (topic) => {
      if (topic === "commanded") this.#fleet.host.look();
      else this.wake();
    });
    this.#living = this.#live();
  }

  /**
   * Claims no more; lets calls that are under way settle within `graceSeconds` (default 5), and gives the leases back: other
   * workers go on with the runs at once. None of them has used an attempt up.
   */
  async stop({ graceSeconds = 5 }: { graceSeconds?: number } = {}): Promise<void> {
    this.#state = "stopping";
    this.wake();
    await this.#listener?.stop();
    await this.#living;
    const stopped = new HoldfastError("DATABASE_UNAVAILABLE", { why: "this worker was stopped" });
    await Promise.all([...this.#sessions].map((session) => session.wind(stopped, graceSeconds * 1000)));
    await Promise.all(this.#works);
  }

  /** There may be something to do. */
  wake(): void {
    this.#mayBeMore = true;
    this.#woken = true;
    this.#wake();
  }

  #lookNow(): void {
    this.#lookedAt = Number.NEGATIVE_INFINITY;
    this.wake();
  }

  async #live(): Promise<void> {
    while (this.#state === "working") {
      this.#woken = false;
      let restMs: number;
      try {
        const means = await this.#fleet.host.means();
        await means.heart.ready();
        if (performance.now() - this.#lookedAt >= LOOK_MS) await this.#look(means);
        await nextTurn(); // runs that end together leave their places together
        const free = (this.#options.concurrency ?? 10) - this.#works.size;
        if (free > 0 && this.#mayBeMore) await this.#claim(means, Math.min(free, MOST_CLAIMED));
        restMs = this.#mayBeMore && this.#works.size < (this.#options.concurrency ?? 10) ? 0 : this.#restMs;
      } catch {
        restMs = AWAY_MS; // what it is about is said where a run needs it
      }
      if (restMs > 0 && !this.#woken) await this.#rest(restMs);
    }
  }

  async #claim(means: Means, most: number): Promise<void> {
    const { heart, db } = means;
    const { standing } = heart;
    this.#mayBeMore = false;
    const answered = this.#fleet.host.claiming();
    let claims: Claimed[];
    try {
      claims = await claim(db, heart, this.#lines(), most, this.#options.fleetConcurrency);
      if (claims.length === 0) return;
      // A claim that was full has left something behind, as far as one can tell.
      this.#mayBeMore = true;
      const entries = await readEntriesOf(db, claims);
      for (const claimed of claims) {
        const registered = must(this.#agents.get(claimed.agent), "the agent that was claimed for");
        const work = { claimed, entries: entries.get(claimed.lease.run) ?? [], standing };
        const working = execute(this.#fleet.host, means, registered, work, this.#sessions).finally(() => {
          this.#works.delete(working);
          this.#fleet.results.announce(claimed.lease.runId);
          // Somebody may wait for its end: they are told at the next look, which is now.
          if (claimed.isAwaited) this.#lookNow();
          if (this.#mayBeMore || this.#works.size === 0) this.#wake();
        });
        this.#works.add(working);
      }
    } finally {
      answered();
    }
  }

  /** Its agents, the next one first in turn: which of them is served first changes with each claim. */
  #lines(): Line[] {
    const all = [...this.#agents.values()].map(
      ({ agent, concurrency }): Line => ({
        agent: agent.name,
        version: agent.version,
        isNewest: !this.#outdated.has(agent.name),
        cap: concurrency,
      }),
    );
    const first = this.#turn++ % Math.max(all.length, 1);
    return [...all.slice(first), ...all.slice(0, first)];
  }

  /** Looks around, and does what no run's owner does: wakes runs whose time has come, takes those of the dead. */
  async #look({ db, heart }: Means): Promise<void> {
    const agents = [...this.#agents.values()].map(({ agent }) => agent);
    if (this.#registeredAs !== heart.number) {
      const versions = agents.map(({ name, version }) => ({ name, version }));
      await registerAgents(db, heart.number, versions);
      this.#registeredAs = heart.number;
    }
    this.#lookedAt = performance.now();
    const sight = await lookAround(
      db,
      heart.number,
      agents.map(({ name }) => name),
    );
    this.#outdated = new Set(
      agents
        .filter(({ name, version }) =>
          sight.others.some((other) => other.name === name && compareVersions(other.version, version) > 0),
        )
        .map(({ name }) => name),
    );
    const gone = this.#goneFor(sight);
    if (gone.length > 0 || sight.over)
      await this.#do("taking runs over from dead workers", () => noticeDead(db, heart.name, gone));
    if (sight.due) await this.#do("waking runs whose time has come", () => wakeDue(db));
    if (sight.ended) await this.#do("telling runs of ends", () => tellEnds(db));
    if (sight.scheduled) await this.#do("starting schedules", () => startDue(this.#fleet, db));
    if (sight.queued || sight.due || sight.ended || sight.scheduled || sight.over || gone.length > 0)
      this.#mayBeMore = true;
    this.#restMs = Math.min(LOOK_MS, Math.max(sight.nextMs ?? LOOK_MS, 1));
  }

  /** What fails is tried again at the next look, and said once. It keeps this worker from nothing else. */
  async #do(duty: string, work: () => Promise<unknown>): Promise<void> {
    try {
      await work();
      this.#failing.delete(duty);
    } catch (error) {
      if (!this.#failing.has(duty)) this.#fleet.host.settings.telling?.failing(duty, error);
      this.#failing.add(duty);
    }
  }

  /** Of the workers whose session Postgres has seen end, those that have stayed away for the whole of the grace. */
  #goneFor({ gone }: Sight): { worker: number; beats: string }[] {
    const now = performance.now();
    for (const [worker, { beats }] of this.#gone) {
      if (!gone.some((seen) => seen.worker === worker && seen.beats === beats)) this.#gone.delete(worker);
    }
    for (const { worker, beats } of gone) {
      if (!this.#gone.has(worker)) this.#gone.set(worker, { beats, since: now });
    }
    return gone.filter(({ worker }) => {
      const since = this.#gone.get(worker)?.since ?? now;
      return now - since >= this.#fleet.host.graceSeconds * 1000;
    });
  }

  async #rest(ms: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      timer = setTimeout(resolve, ms);
      this.#wake = resolve;
    });
    clearTimeout(timer);
    this.#wake = () => {};
  }
}
