import type pg from "pg";
import { Appender } from "./appender.ts";
import { Attention } from "./attention.ts";
import { type Cap, limitsOf } from "./budget/cap.ts";
import type { Prices } from "./budget/price.ts";
import { budgetSettings, type RunBudget } from "./budget/settings.ts";
import type { SharedBudget } from "./budget/shared.ts";
import { decode, encode } from "./codec.ts";
import { type Doubts, doubtsOn } from "./doubts.ts";
import { secondsOf } from "./duration.ts";
import { checkSame, enterRun } from "./enter.ts";
import { HoldfastError } from "./errors.ts";
import { type ExportOptions, exportRun } from "./export/export-run.ts";
import { importRun } from "./export/import-run.ts";
import { readRunFile } from "./export/read-run-file.ts";
import { finish } from "./finish.ts";
import type { Agent, AgentOptions, Handler } from "./fleet/agent.ts";
import { type By, command, redrive, send } from "./fleet/commands.ts";
import { type DeadLetters, deadLettersOn } from "./fleet/dead-letters.ts";
import { Fleet } from "./fleet/fleet.ts";
import { type Flow, type FlowNode, type FlowOptions, startFlow } from "./fleet/flow.ts";
import type { Handle } from "./fleet/handle.ts";
import { type ScheduleOptions, schedule, unschedule } from "./fleet/schedules.ts";
import type { StartOptions } from "./fleet/start.ts";
import type { Worker, WorkerOptions } from "./fleet/worker.ts";
import { type ForkOptions, forkRun } from "./fork-run.ts";
import { Heart } from "./heart.ts";
import { digestOf } from "./json.ts";
import type { Start } from "./ledger/entry.ts";
import { replay } from "./ledger/replay.ts";
import { must } from "./must.ts";
import { openDatabase } from "./open-database.ts";
import { type OutsideRun, setOutsideRun } from "./outside-run.ts";
import { type Questions, questionsOn } from "./questions.ts";
import { type Raise, raiseBudget } from "./raise-budget.ts";
import { type LedgerEntry, readLedger, type TailOptions, tailLedger } from "./read-ledger.ts";
import { rebuildRequest } from "./rebuild-request.ts";
import { readRecordedRun } from "./recorded-run.ts";
import { Redactor, secretsIn } from "./redact.ts";
import { type Replayed, type ReplayOptions, replayRun } from "./replay-run.ts";
import type { RunStatus } from "./run/status.ts";
import { diffRuns, type RunDiff } from "./run-diff.ts";
import { type RunList, runsOn } from "./run-list.ts";
import { currentScope } from "./scope.ts";
import { type Means, Session } from "./session.ts";
import {
  checkTools,
  type PolicyOptions,
  policySettings,
  type RunSettings,
  type ToolSettings,
} from "./settings.ts";
import { forgetWindows } from "./store/budgets.ts";
import type { Database } from "./store/database.ts";
import { giveBack, noticeDead } from "./store/lease.ts";
import { checkSchema, type Migration, migrate, type PackageMigrations } from "./store/migrate.ts";
import { expireQuestions } from "./store/questions.ts";
import { pruneRuns } from "./store/retention.ts";
import { type Trace, traceRun, type Work } from "./trace/trace.ts";

export interface HoldfastOptions extends PolicyOptions {
  /**
   * Where the ledger lives: `postgres://…`, a `pg.Pool`, `"embedded"`, or a folder for the embedded server. Absent:
   * DATABASE_URL if it is set, else embedded in ./.holdfast, which is refused when NODE_ENV is "production".
   */
  readonly database?: string | pg.Pool | undefined;
  /** Bring the schema up to date. False for roles that may not: then it is only checked. Default true. */
  readonly migrate?: boolean;
  /** What is declared of tools, by name or glob (`lookup_*`). An exact name comes before globs, globs in order. */
  readonly tools?: Readonly<Record<string, ToolSettings>>;
  /** A model request that differs from the one on record. Default `accept`: the record is used, and a note says so. */
  readonly drift?: RunSettings["drift"];
  /** How long a worker's leases are good without a heartbeat, in seconds. Default 30. */
  readonly leaseSeconds?: number;
  /** How long a worker's session must have been gone before its runs are taken over ahead of that. Default 1. */
  readonly graceSeconds?: number;
  /**
   * Paths that are taken out of what is recorded, before anything is hashed: `input.user.ssn`, `*.headers.authorization`.
   * A path begins with `input`, `output`, `error`, `value` or `request`; `*` is any one name, `**` any number of them.
   */
  readonly redact?: readonly string[];
  /** The largest output of one call, in bytes as it is recorded. Default 16 MiB. A larger one is OUTPUT_TOO_LARGE. */
  readonly maxOutputBytes?: number;
  /** How many runs may be queued in the whole database when this process starts one. Then QUEUE_FULL. Default: no limit. */
  readonly queueLimit?: number;
  /** What every run may spend, unless it is started with a budget of its own. */
  readonly budget?: RunBudget;
  /** What runs of one agent, or with one tag, may spend together in an hour, a day or a month. */
  readonly budgets?: readonly SharedBudget[];
  /** What models cost, by name or glob: over the built-in table. `*` is for models that it does not know. */
  readonly prices?: Prices;
  /** Calls of held tools and models outside any run: default `pass`, with one warning; `refuse` throws UNHELD_CALL. */
  readonly outsideRun?: OutsideRun;
}

export interface RunOptions {
  /** What the run is about. Recorded; the same id with another input is RUN_EXISTS_DIFFERENT. */
  readonly input?: unknown;
  /** A name for the kind of work, to find runs by. The same id with another agent is RUN_EXISTS_DIFFERENT. */
  readonly agent?: string;
  readonly version?: string;
  readonly tags?: readonly string[];
  /** How many model calls, tool calls and steps it may make, over all its executions. One more is TOO_MANY_STEPS. */
  readonly maxSteps?: number;
  /** Somebody alive is working on this run: `refuse` with RUN_LEASED (default), or `wait` until that is over. */
  readonly onLeased?: "refuse" | "wait";
  /** What the run may spend: `usd(1)`. It is recorded when the run begins; from then on only `raiseBudget` changes it. */
  readonly budget?: Cap;
}

/** What a package with tables of its own is given of the database. */
export type TablesDatabase = Pick<Database, "query" | "transaction">;

export interface Streamed<T> {
  /** What `work` returned, at once. */
  readonly value: T;
  /** Settles with the run: everything that `work` began has settled, and is in the ledger. */
  readonly done: Promise<void>;
}

/** A run that this process is at: whoever asks for its id again gets the same promise. */
interface Active {
  readonly promise: Promise<unknown>;
  readonly inputDigest: string | null;
  readonly agent: string | null;
}

const OPTIONS = new Set<string>([
  "database",
  "migrate",
  "tools",
  "drift",
  "leaseSeconds",
  "graceSeconds",
  "outsideRun",
  "redact",
  "maxOutputBytes",
  "policy",
  "policyDefault",
  "policyVersion",
  "policyMode",
  "policyTimeoutMs",
  "queueLimit",
  "budget",
  "budgets",
  "prices",
] satisfies (keyof HoldfastOptions)[]);

const ENDED: readonly RunStatus[] = ["succeeded", "failed", "cancelled", "dead"];

/** The longest run id, in characters: it is an index key. */
const LONGEST_ID = 512;
/**
 * Opens Holdfast on a Postgres: connects, and brings its schema up to date. Throws DATABASE_UNAVAILABLE,
 * NO_EMBEDDED_SERVER, SCHEMA_TOO_NEW, SCHEMA_TOO_OLD, INVALID_ARGUMENT.
 */
export async function openHoldfast(options: HoldfastOptions = {}): Promise<Holdfast> {
  const holdfast = new Holdfast(options);
  try {
    await holdfast.opened();
  } catch (error) {
    await holdfast.close();
    throw error;
  }
  return holdfast;
}

export class Holdfast {
  /** Runs: one, or many, by what is to be found of them. */
  readonly runs: RunList;
  /** Effects of which nobody can say from here whether they happened. */
  readonly doubts: Doubts;
  /** Runs of the fleet that ended badly, until they are redriven. */
  readonly deadLetters: DeadLetters;
  /** What runs ask people: whether a call may go out, or for an input. */
  readonly questions: Questions;
  readonly #options: HoldfastOptions;
  readonly #settings: RunSettings;
  readonly #active = new Map<string, Active>();
  readonly #held = new Set<string>();
  readonly #attention = new Attention(() => ({
    db: must(this.#db, "the database of a run that is under way"),
    number: must(this.#heart, "the heart of a run that is under way").number,
  }));
  readonly #fleet: Fleet;
  /** Runs that this process is asking for right now. */
  #creating = 0;
  #means: Promise<{ db: Database; appender: Appender }> | undefined;
  /** Tables of packages that are there, by their migrations. */
  readonly #tables = new Map<readonly Migration[], Promise<void>>();
  #heart: Heart | undefined;
  #db: Database | undefined;
  #strays: ReadonlySet<string> = new Set();
  #closing: Promise<void> | undefined;

  /** Connects when it is first used. `openHoldfast` is the way to have one that is connected. */
  constructor(options: HoldfastOptions = {}) {
    const {
      tools = {},
      drift = "accept",
      leaseSeconds = 30,
      graceSeconds = 1,
      outsideRun = "pass",
      queueLimit,
    } = options;
    for (const option of Object.keys(options)) {
      check(option, OPTIONS.has(option), `is no option; there are ${[...OPTIONS].join(", ")}`);
    }
    checkTools(tools);
    check("drift", drift === "accept" || drift === "fail", 'must be "accept" or "fail"');
    check("leaseSeconds", leaseSeconds >= 1 && leaseSeconds <= 3600, "must be from 1 to 3600");
    check("graceSeconds", graceSeconds >= 0.1 && graceSeconds <= 3600, "must be from 0.1 to 3600");
    check("outsideRun", outsideRun === "pass" || outsideRun === "refuse", 'must be "pass" or "refuse"');
    const isLimit = queueLimit === undefined || (Number.isInteger(queueLimit) && queueLimit >= 1);
    check("queueLimit", isLimit, "must be a whole number from 1 on");
    this.#options = { ...options, leaseSeconds, graceSeconds };
    const { redact = [], maxOutputBytes = 16 * 2 ** 20 } = options;
    check("maxOutputBytes", maxOutputBytes >= 1024, "must be 1024 or more");
    const redactor = new Redactor(redact, { secrets: secretsIn(process.env) });
    const policy = policySettings(options);
    const budget = budgetSettings(options);
    this.#settings = { tools, drift, leaseSeconds, redactor, maxOutputBytes, policy, budget };
    setOutsideRun(this, outsideRun);
    const db = () => this.opened().then(({ db }) => db);
    this.runs = runsOn(db);
    this.doubts = doubtsOn(db, redactor);
    this.questions = questionsOn(db, redactor);
    this.#fleet = new Fleet({
      settings: this.#settings,
      graceSeconds,
      queueLimit,
      db,
      means: () => this.#beating(),
      claiming: () => this.#create(),
      attend: ({ run, epoch }, session) => {
        // A process may have lost the run and claimed it again: each lease is held by itself.
        this.#held.add(`${run}/${epoch}`);
        const leave = this.#attention.attend(run, session);
        return () => {
          this.#held.delete(`${run}/${epoch}`);
          leave();
        };
      },
      look: () => void this.#attention.look(),
      entries: (id) => this.entries(id),
      tail: (id, options) => this.tail(id, options),
    });
    this.deadLetters = deadLettersOn(this.#fleet);
  }

  /**
   * Does `work` as the run `id`: what it calls is recorded, and what is on record is not called again. The same id again
   * goes on where it stopped, in this process or another; a run that has finished returns its recorded value, or one
   * rebuilt from the ledger with nothing live where the value is no data.
   *
   * Rejects with RUN_WAITING when the run parks, RUN_LEASED while somebody alive works on it, FENCED when it was taken
   * over, RUN_EXISTS_DIFFERENT, RUN_NESTED, DIVERGED, DRIFTED, DATABASE_UNAVAILABLE; else with what `work` rejects with.
   */
  async run<T>(id: string, work: () => T | PromiseLike<T>, options: RunOptions = {}): Promise<T> {
    const inTrace = currentScope()?.session.trace;
    if (inTrace) return await inTrace.child(id, work);
    const inputDigest = this.#check(id, options);
    const active = this.#active.get(id);
    if (active) {
      checkSame({ runId: id, ...active }, options.agent, inputDigest);
      return (await active.promise) as T;
    }
    const session = new Session(id, this.#settings, { maxSteps: options.maxSteps });
    const promise = this.#carry(
      session,
      () => session.root.enter(async () => await work()),
      id,
      inputDigest,
      options,
    );
    return await this.#activate(id, promise, inputDigest, options);
  }

  /**
   * The same for work that returns at once and goes on behind it: a stream. `work` is called right away; its calls wait
   * until the run is this process'. Where it cannot become so, `done` rejects and the stream is aborted.
   */
  stream<T>(id: string, work: () => T, options: RunOptions = {}): Streamed<T> {
    currentScope()?.session.trace?.refuse(`the stream ${id} is begun in it`);
    const inputDigest = this.#check(id, options);
    if (this.#active.has(id)) throw new HoldfastError("RUN_LEASED", { runId: id, worker: "this process" });
    const session = new Session(id, this.#settings, { maxSteps: options.maxSteps });
    const value = session.root.enter(work);
    const carried = this.#carry(session, () => value, id, inputDigest, options, true);
    const done = this.#activate(id, carried, inputDigest, options).then(() => {});
    done.catch(() => {}); // whoever reads the stream hears of it there
    return { value, done };
  }

  /**
   * Runs `work` over the record of a run, and never touches that run. `work` is given its input.
   *
   * `trace`: every model call, tool call and step is answered from the record, and what is not on it is not called. Nothing
   * is written. Gives back whether the code still does what is on record, and where it first does not.
   *
   * `mock-tools`, `counterfactual`: see ReplayOptions. These write a run of their own, marked as what it is. Gives back what
   * the work came to, and how that differs.
   *
   * Throws RUN_NOT_FOUND, INVALID_ARGUMENT, and COMMAND_NOT_ALLOWED for a pruned run or where a call is under way at `from`.
   */
  async replay<T, I = never>(
    id: string,
    work: Work<T, I>,
    options?: { readonly mode: "trace" },
  ): Promise<Trace<T>>;
  async replay<T, I = never>(id: string, work: Work<T, I>, options: ReplayOptions): Promise<Replayed<T>>;
  async replay<T>(
    id: string,
    work: Work<T>,
    options: { readonly mode: "trace" } | ReplayOptions = { mode: "trace" },
  ): Promise<Trace<T> | Replayed<T>> {
    const { db } = await this.opened();
    const read = (runId: string) => readRecordedRun(db, runId, "replay");
    if (options.mode === "trace") return (await traceRun(await read(id), work, this.#settings, read)).trace;
    const isMode = options.mode === "mock-tools" || options.mode === "counterfactual";
    check("mode", isMode, 'must be "trace", "mock-tools" or "counterfactual"');
    if (options.id !== undefined) this.#check(options.id, {});
    return await replayRun(db, await read(id), work, options, this.#settings, (session, inner, own) => {
      const carried = this.#carry(session, inner, own, undefined, {});
      return this.#activate(own, carried, undefined, {});
    });
  }

  /**
   * What one run did against what another did: step by step, aligned by lane. `runDiffText` is what it reads like in a
   * terminal. Throws RUN_NOT_FOUND, and COMMAND_NOT_ALLOWED for a pruned run.
   */
  async diff(a: string, b: string): Promise<RunDiff> {
    const { db } = await this.opened();
    return await diffRuns(await readRecordedRun(db, a, "diff"), await readRecordedRun(db, b, "diff"));
  }

  /**
   * A new run that begins with the first `at` entries of another, with what `set` says changed in them: what they say has
   * happened is not done again, and what comes after is done anew, under keys of its own. An inline run goes on when
   * `hf.run` is called with the fork's id; that of a fleet is queued. Gives back the new run. Throws RUN_NOT_FOUND,
   * INVALID_ARGUMENT, QUEUE_FULL, and COMMAND_NOT_ALLOWED where a call is under way at `at`.
   */
  async fork(id: string, options: ForkOptions = {}): Promise<Handle> {
    if (options.id !== undefined) this.#check(options.id, {});
    const { db } = await this.opened();
    const recorded = await readRecordedRun(db, id, "fork");
    const { redactor } = this.#settings;
    const forked = await forkRun(db, recorded, options, { redactor, queueLimit: this.#options.queueLimit });
    return this.#fleet.forked(db, forked);
  }

  /**
   * The run as one file (JSON Lines) that needs nothing else: its entries, and the prompts that they name. Gives back the
   * text, and writes it where `to` says. Throws RUN_NOT_FOUND, INVALID_ARGUMENT, and COMMAND_NOT_ALLOWED for a pruned run.
   */
  async exportRun(id: string, options: ExportOptions = {}): Promise<string> {
    const { db } = await this.opened();
    return await exportRun(await readRecordedRun(db, id, "export"), this.#options.redact ?? [], options);
  }

  /**
   * Reads a run in that was exported, from the path of a file or its text, and gives back its id. It can be looked at,
   * traced, compared and forked, but nobody can go on with it. Throws INVALID_ARGUMENT for what is no such file,
   * LEDGER_CORRUPT for a damaged one, COMMAND_NOT_ALLOWED where there is another run of the id.
   */
  async importRun(file: string | URL, { id }: { readonly id?: string } = {}): Promise<string> {
    const read = await readRunFile(file);
    const runId = id ?? read.runId;
    this.#check(runId, {});
    await importRun((await this.opened()).db, read, runId);
    return runId;
  }

  /**
   * Registers an agent: work that any worker with an agent of this name may pick up. Each name once a process, before its
   * workers start. Throws INVALID_ARGUMENT.
   */
  agent<Input, Output, Raw = Input>(
    name: string,
    handler: Handler<Input, Output>,
    options: AgentOptions<Raw, Input> = {},
  ): Agent<Raw, Output> {
    return this.#fleet.agent(name, handler, options);
  }

  /** The agents that are registered in this process. */
  get agents(): readonly Agent[] {
    return [...this.#fleet.agents.values()].map(({ agent }) => agent);
  }

  /**
   * Queues a run of an agent, for whichever worker has it. With a key it is started once, however many start it at the same
   * time. Throws RUN_EXISTS_DIFFERENT for a key that was used with another input, QUEUE_FULL, INVALID_ARGUMENT for an input
   * that does not fit the agent's schema, NOT_SERIALIZABLE.
   */
  async start<Raw, Output>(
    agent: Agent<Raw, Output>,
    input: Raw,
    options: StartOptions = {},
  ): Promise<Handle<Output>> {
    return await this.#fleet.start(agent, input, options);
  }

  /**
   * Stops a run for good, whoever works on it: the call under way is aborted through its signal, what came of it is recorded,
   * and its effects that may have happened are in doubt. Throws RUN_NOT_FOUND, COMMAND_NOT_ALLOWED for a run that has ended.
   */
  async cancel(id: string, by: By): Promise<void> {
    await command(this.#fleet, id, "cancel", by);
  }

  /**
   * Stops a run until it is resumed: calls under way may settle, then it parks. Throws RUN_NOT_FOUND, COMMAND_NOT_ALLOWED.
   */
  async pause(id: string, by: By): Promise<void> {
    await command(this.#fleet, id, "pause", by);
  }

  /** Lets a paused run go on: an inline one when its caller comes back. Throws RUN_NOT_FOUND, COMMAND_NOT_ALLOWED. */
  async resume(id: string, by: By): Promise<void> {
    await command(this.#fleet, id, "resume", by);
  }

  /**
   * Queues a run of the fleet anew that failed or is dead, or several. What counted against it is reset; its ledger is kept:
   * what it has done is not done again, and model answers after its last effect are asked for anew. Throws RUN_NOT_FOUND,
   * COMMAND_NOT_ALLOWED, INVALID_ARGUMENT.
   */
  async redrive(
    id: string | readonly string[],
    { by = "hf.redrive", ...changed }: { readonly by?: string; readonly input?: unknown } = {},
  ): Promise<void> {
    for (const each of typeof id === "string" ? [id] : id)
      await redrive(this.#fleet, each, { by, ...changed });
  }

  /**
   * Sends a run a message: `receive()` gives it to it once, at its next step. Throws RUN_NOT_FOUND, COMMAND_NOT_ALLOWED for a
   * run that has ended, NOT_SERIALIZABLE.
   */
  async send(id: string, message: unknown, { by = "hf.send" }: { readonly by?: string } = {}): Promise<void> {
    await send(this.#fleet, id, message, { by });
  }

  /**
   * Starts several runs, all or none, of which some come after others: what those return is in their `outputs`. Throws
   * INVALID_ARGUMENT for a name that is used twice or unknown, and for a cycle.
   */
  async flow(name: string, nodes: readonly FlowNode[], options: FlowOptions = {}): Promise<Flow> {
    return await startFlow(this.#fleet, name, nodes, options);
  }

  /** Starts a run of an agent whenever its time comes. The same name again changes it. Throws INVALID_ARGUMENT. */
  async schedule<Raw>(name: string, options: ScheduleOptions<Raw>): Promise<void> {
    await schedule(this.#fleet, name, options);
  }

  /** Ends a schedule. Runs that it has started go on. False: there is none of this name. */
  async unschedule(name: string): Promise<boolean> {
    return await unschedule(this.#fleet, name);
  }

  /** A worker that picks up runs of the agents registered here, once it is started. Throws INVALID_ARGUMENT. */
  worker(options: WorkerOptions = {}): Worker {
    return this.#fleet.worker(options);
  }

  /**
   * Forgets runs that ended so long ago (`30d`, `12h`; a number is milliseconds), in bounded batches: their entries and
   * blobs go. Their heads stay, so that an id or a key that comes again does not repeat their effects. Windows of shared
   * budgets go that ended so long ago. Gives back how many runs.
   */
  async prune({
    olderThan,
    status = ENDED,
  }: {
    olderThan: string | number;
    status?: readonly RunStatus[];
  }): Promise<number> {
    const seconds = secondsOf("olderThan", olderThan);
    const bad = status.find((each) => !ENDED.includes(each));
    check(
      "status",
      bad === undefined,
      `must be among ${ENDED.join(", ")}: only a run that has ended is pruned`,
    );
    const { db } = await this.opened();
    await forgetWindows(db, seconds);
    return await pruneRuns(db, seconds, status);
  }

  /** The entries of a run, in order: all, or those behind `after`, at most `limit`. Throws RUN_NOT_FOUND. */
  async entries(id: string, part: { after?: number; limit?: number } = {}): Promise<LedgerEntry[]> {
    return await readLedger((await this.opened()).db, id, part);
  }

  /** The entries of a run as they are written, until its last. Goes on through takeovers and waits. */
  async *tail(id: string, options: TailOptions = {}): AsyncGenerator<LedgerEntry> {
    yield* tailLedger((await this.opened()).db, id, options);
  }

  /**
   * Lets a run spend more, from now on: `to` is its new cap, of the units that it names. A run that waits for its budget, or
   * failed for it, goes on when it is run again. Throws RUN_NOT_FOUND, INVALID_ARGUMENT where `to` is less than the cap,
   * COMMAND_NOT_ALLOWED for a run that has ended for good.
   */
  async raiseBudget(id: string, raise: Raise): Promise<void> {
    await raiseBudget((await this.opened()).db, id, raise, this.#settings.budget.perRun);
  }

  /**
   * The request that a recorded model call sent, rebuilt: what the adapter announced, without headers and signals. `step`
   * is that of its observation. Throws RUN_NOT_FOUND, INVALID_ARGUMENT where the step is no recorded model call.
   */
  async request(id: string, step: string): Promise<unknown> {
    return await rebuildRequest((await this.opened()).db, id, step);
  }

  /** Connects if that has not been done. Whoever calls it first starts it for all. */
  async opened(): Promise<{ db: Database; appender: Appender }> {
    currentScope()?.session.trace?.refuse("the agent asks the database for something");
    if (this.#closing !== undefined)
      throw new HoldfastError("DATABASE_UNAVAILABLE", { why: "this Holdfast was closed" });
    this.#means ??= this.#open();
    try {
      return await this.#means;
    } catch (error) {
      this.#means = undefined; // the next one tries again
      throw error;
    }
  }

  /**
   * For packages that keep tables of their own beside the ledger: the database, with these tables brought up to date, or
   * only checked where `migrate` is false: once, however often it is asked for. Throws what `openHoldfast` throws.
   */
  async tables(of: PackageMigrations): Promise<TablesDatabase> {
    const { db } = await this.opened();
    let made = this.#tables.get(of.migrations);
    if (!made) {
      made = this.#options.migrate === false ? checkSchema(db, of) : migrate(db, of);
      this.#tables.set(of.migrations, made);
      made.catch(() => this.#tables.delete(of.migrations)); // the next one tries again
    }
    await made;
    return db;
  }

  /**
   * Hands over: runs of this process begin no new call; calls that are under way may settle within `graceSeconds` (default
   * 5); then the leases go back and the connections are closed. Such a run rejects with DATABASE_UNAVAILABLE, and goes on
   * wherever its id is run again.
   */
  close({ graceSeconds = 5 }: { graceSeconds?: number } = {}): Promise<void> {
    this.#closing ??= this.#close(graceSeconds);
    return this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #activate<T>(
    id: string,
    promise: Promise<T>,
    inputDigest: string | undefined,
    options: RunOptions,
  ): Promise<T> {
    this.#active.set(id, { promise, inputDigest: inputDigest ?? null, agent: options.agent ?? null });
    try {
      return await promise;
    } finally {
      this.#active.delete(id);
    }
  }

  /** Carries a session from its opening to its end. */
  async #carry<T>(
    session: Session,
    work: () => T | PromiseLike<T>,
    runId: string,
    inputDigest: string | undefined,
    options: RunOptions,
    streamed = false,
  ): Promise<T> {
    const { agent, version, tags, input, onLeased = "refuse", budget } = options;
    const cap = budget === undefined ? this.#settings.budget.perRun : limitsOf("budget", budget);
    const start: Start = {
      kind: "start",
      agent,
      version,
      inline: true,
      tags,
      parent: session.parent?.runId,
      ...(cap ? { budget: cap } : {}),
      value: input === undefined ? undefined : encode(this.#settings.redactor.apply("input", input)),
    };
    let run: string | undefined;
    let leave = () => {};
    try {
      const { db, appender, heart } = await this.#beating();
      const graceSeconds = must(this.#options.graceSeconds, "graceSeconds");
      const isClosed = () => this.#closing !== undefined;
      const onTaking = (taking: string) => {
        run = taking;
        this.#held.add(taking);
      };
      const entered = await enterRun({
        db,
        heart,
        runId,
        start,
        inputDigest,
        onLeased,
        graceSeconds,
        isClosed,
        isReplay: session.trace !== undefined,
        onTaking,
        onCreating: () => this.#create(),
      });
      if (entered.at === "finished") {
        const { outcome } = replay(entered.entries);
        if (outcome?.status === "cancelled") throw new HoldfastError("CANCELLED", { runId, by: undefined });
        if (outcome?.kept && !streamed)
          return (outcome.value === undefined ? undefined : decode(outcome.value)) as T;
        session.open(entered.entries);
        const value = await Promise.race([work(), session.stopped]);
        await session.settled();
        return value as T;
      }
      run = entered.lease.run;
      this.#held.add(run);
      leave = this.#attention.attend(run, session);
      const { entries, lease, standing } = entered;
      session.open(entries, { means: { db, appender, heart }, lease, standing });
      return await finish(session, work, this.#settings.redactor);
    } catch (error) {
      session.stop(error); // calls that wait for the run to open, and streams over them, must hear of it
      throw error;
    } finally {
      if (run !== undefined) this.#held.delete(run);
      leave();
    }
  }

  /** A run is being created or claimed. Gives back what to call once that is answered. */
  #create(): () => void {
    this.#creating++;
    return () => {
      this.#creating--;
    };
  }

  async #beating(): Promise<Means> {
    const { db, appender } = await this.opened();
    if (this.#heart?.isDead) {
      await this.#heart.stop();
      this.#heart = undefined;
    }
    this.#heart ??= new Heart({
      connection: db.connection,
      leaseSeconds: must(this.#options.leaseSeconds, "leaseSeconds"),
      onBeat: (leases) => void this.#afterBeat(db, leases).catch(() => {}),
    });
    await this.#heart.started();
    return { db, appender, heart: this.#heart };
  }

  /** What is leased here but not worked on, at two beats in a row, goes back; and who is dead is noticed. */
  async #afterBeat(db: Database, leases: readonly string[]): Promise<void> {
    const heart = must(this.#heart, "the heart that beat");
    await noticeDead(db, heart.name);
    // A run that is being created is not lost: the answer that says it is ours may be under way.
    const strays =
      this.#creating > 0
        ? []
        : leases.filter((lease) => !this.#held.has(lease) && !this.#held.has(lease.split("/")[0] ?? ""));
    const again = strays.filter((lease) => this.#strays.has(lease));
    this.#strays = new Set(strays);
    await giveBack(db, heart.number, again);
    await expireQuestions(db);
  }

  async #open(): Promise<{ db: Database; appender: Appender }> {
    const { database, migrate: mayMigrate = true } = this.#options;
    const db = await openDatabase(database);
    this.#db = db;
    await (mayMigrate ? migrate(db) : checkSchema(db));
    return { db, appender: new Appender(db) };
  }

  async #close(graceSeconds: number): Promise<void> {
    const closed = new HoldfastError("DATABASE_UNAVAILABLE", { why: "this Holdfast was closed" });
    await this.#fleet.stop(graceSeconds);
    await Promise.all(this.#attention.sessions.map((session) => session.wind(closed, graceSeconds * 1000)));
    await Promise.allSettled([...this.#active.values()].map(({ promise }) => promise));
    setOutsideRun(this, undefined);
    await this.#heart?.stop();
    await this.#db?.close();
  }

  #check(id: string, options: RunOptions): string | undefined {
    check("A run's id", typeof id === "string" && id !== "", "must be a string that is not empty");
    check("A run's id", id.length <= LONGEST_ID, `must have at most ${LONGEST_ID} characters`);
    check("A run's id", !id.includes("\0") && id.isWellFormed(), "must be text without NUL");
    if (options.budget !== undefined) limitsOf("budget", options.budget);
    const { maxSteps = 1 } = options;
    check("maxSteps", Number.isInteger(maxSteps) && maxSteps >= 1, "must be a whole number from 1 on");
    for (let scope = currentScope(); scope; scope = scope.session.parent) {
      if (scope.runId === id) throw new HoldfastError("RUN_NESTED", { runId: id });
    }
    return options.input === undefined
      ? undefined
      : digestOf(this.#settings.redactor.apply("input", options.input));
  }
}

function check(argument: string, holds: boolean, why: string): void {
  if (!holds) throw new HoldfastError("INVALID_ARGUMENT", { argument, why });
}
