import { type Connected, Connection, type TablesDatabase } from "./connection.ts";
import { type Doubts, doubtsOn } from "./doubts.ts";
import { HoldfastError } from "./errors.ts";
import { type ExportOptions, exportRun } from "./export/export-run.ts";
import { importRun } from "./export/import-run.ts";
import { readRunFile } from "./export/read-run-file.ts";
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
import { InlineRuns, type Streamed } from "./inline-runs.ts";
import { Leases } from "./leases.ts";
import { type CheckedOptions, check, checkOptions, type HoldfastOptions } from "./options.ts";
import { setOutsideRun } from "./outside-run.ts";
import { type Pruning, prune } from "./prune.ts";
import { type Questions, questionsOn } from "./questions.ts";
import { type Raise, raiseBudget } from "./raise-budget.ts";
import { type LedgerEntry, readLedger, type TailOptions, tailLedger } from "./read-ledger.ts";
import { rebuildRequest } from "./rebuild-request.ts";
import { readRecordedRun } from "./recorded-run.ts";
import { type Replayed, type ReplayOptions, replayRun } from "./replay-run.ts";
import { diffRuns, type RunDiff } from "./run-diff.ts";
import { type RunList, runsOn } from "./run-list.ts";
import { checkRun, type RunOptions } from "./run-options.ts";
import { currentScope } from "./scope.ts";
import type { RunSettings } from "./settings.ts";
import type { PackageMigrations } from "./store/migrate.ts";
import { type Trace, traceRun, type Work } from "./trace/trace.ts";

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

interface TraceOptions {
  readonly mode: "trace";
}
const TRACE: TraceOptions = { mode: "trace" };

export class Holdfast {
  /** Runs: one, or many, by what is to be found of them. */
  readonly runs: RunList;
  /** Effects of which nobody can say from here whether they happened. */
  readonly doubts: Doubts;
  /** Runs of the fleet that ended badly, until they are redriven. */
  readonly deadLetters: DeadLetters;
  /** What runs ask people: whether a call may go out, or for an input. */
  readonly questions: Questions;
  readonly #options: CheckedOptions;
  readonly #settings: RunSettings;
  readonly #connection: Connection;
  readonly #leases: Leases;
  readonly #inline: InlineRuns;
  readonly #fleet: Fleet;
  #closing: Promise<void> | undefined;

  /** Connects when it is first used. `openHoldfast` is the way to have one that is connected. */
  constructor(options: HoldfastOptions = {}) {
    const { options: checked, settings } = checkOptions(options);
    const { graceSeconds, queueLimit } = checked;
    this.#options = checked;
    this.#settings = settings;
    const isClosed = () => this.#closing !== undefined;
    this.#connection = new Connection(checked, isClosed);
    this.#leases = new Leases(this.#connection, checked.leaseSeconds);
    this.#inline = new InlineRuns({ settings, graceSeconds, leases: this.#leases, isClosed });
    setOutsideRun(this, checked.outsideRun);
    const db = () => this.opened().then(({ db }) => db);
    this.runs = runsOn(db);
    this.doubts = doubtsOn(db, settings.redactor);
    this.questions = questionsOn(db, settings.redactor);
    this.#fleet = new Fleet({
      settings,
      graceSeconds,
      queueLimit,
      db,
      means: () => this.#leases.beating(),
      claiming: () => this.#leases.creating(),
      attend: ({ run, epoch }, session) => {
        // A process may have lost the run and claimed it again: each lease is held by itself.
        this.#leases.hold(`${run}/${epoch}`);
        const leave = this.#leases.attention.attend(run, session);
        return () => {
          this.#leases.drop(`${run}/${epoch}`);
          leave();
        };
      },
      look: () => void this.#leases.attention.look(),
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
    return await this.#inline.run(id, work, options);
  }

  /**
   * The same for work that returns at once and goes on behind it: a stream. `work` is called right away; its calls wait
   * until the run is this process'. Where it cannot become so, `done` rejects and the stream is aborted.
   */
  stream<T>(id: string, work: () => T, options: RunOptions = {}): Streamed<T> {
    currentScope()?.session.trace?.refuse(`the stream ${id} is begun in it`);
    return this.#inline.stream(id, work, options);
  }

  /**
   * Runs `work` over the record of a run, and never touches that run. `work` is given its input. Without `work` it is the
   * agent that this process has registered under the run's agent's name.
   *
   * `trace`: every model call, tool call and step is answered from the record, and what is not on it is not called. Nothing
   * is written. Gives back whether the code still does what is on record, and where it first does not.
   *
   * `mock-tools`, `counterfactual`: see ReplayOptions. These write a run of their own, marked as what it is. Gives back what
   * the work came to, and how that differs.
   *
   * Throws RUN_NOT_FOUND, INVALID_ARGUMENT, and COMMAND_NOT_ALLOWED for a pruned run, where a call is under way at `from`,
   * and without `work` where this process has no such agent.
   */
  async replay<T, I = never>(id: string, work: Work<T, I>, options?: TraceOptions): Promise<Trace<T>>;
  async replay<T, I = never>(id: string, work: Work<T, I>, options: ReplayOptions): Promise<Replayed<T>>;
  async replay(id: string, options?: TraceOptions): Promise<Trace>;
  async replay(id: string, options: ReplayOptions): Promise<Replayed>;
  async replay(
    id: string,
    first: Work<unknown> | TraceOptions | ReplayOptions = TRACE,
    second: TraceOptions | ReplayOptions = TRACE,
  ): Promise<Trace | Replayed> {
    const [given, options] = typeof first === "function" ? [first, second] : [undefined, first];
    const { db } = await this.opened();
    const read = (runId: string) => readRecordedRun(db, runId, "replay");
    const recorded = await read(id);
    const work = given ?? (await this.#fleet.workOf(recorded));
    if (options.mode === "trace") return (await traceRun(recorded, work, this.#settings, read)).trace;
    const isMode = options.mode === "mock-tools" || options.mode === "counterfactual";
    check("mode", isMode, 'must be "trace", "mock-tools" or "counterfactual"');
    if (options.id !== undefined) checkRun(options.id, {}, this.#settings.redactor);
    return await replayRun(db, recorded, work, options, this.#settings, (session, inner, own) =>
      this.#inline.carry(session, inner, own),
    );
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
    if (options.id !== undefined) checkRun(options.id, {}, this.#settings.redactor);
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
    checkRun(runId, {}, this.#settings.redactor);
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
  async unschedule(name: string, { by = "hf.unschedule" }: { readonly by?: string } = {}): Promise<boolean> {
    return await unschedule(this.#fleet, name, by);
  }

  /** A worker that picks up runs of the agents registered here, once it is started. Throws INVALID_ARGUMENT. */
  worker(options: WorkerOptions = {}): Worker {
    return this.#fleet.worker(options);
  }

  /**
   * Forgets runs that ended so long ago (`30d`, `12h`; a number is milliseconds), in bounded batches: their entries and
   * blobs go. Their heads stay, so that an id or a key that comes again does not repeat their effects. A run with an open
   * doubt or an open question is kept: `hf.runs.delete` forgets it by its id. Windows of shared budgets go that ended so
   * long ago. Gives back how many runs.
   */
  async prune(which: Pruning): Promise<number> {
    return await prune(async () => (await this.opened()).db, which);
  }

  /** The entries of a run, in order: all, or those behind `after`, at most `limit`. Throws RUN_NOT_FOUND. */
  async entries(id: string, part: { after?: number; limit?: number } = {}): Promise<LedgerEntry[]> {
    return await readLedger((await this.opened()).db, id, part);
  }

  /**
   * The entries of a run as they are written, until its last. Goes on through takeovers and waits. Of a pruned run there are
   * none, of an imported one those that were read in.
   */
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

  /**
   * Calls `heard` soon after runs have moved on, in whichever process of this version, until what is given back is called. A
   * hint over LISTEN, for those who also look: behind a pooler, and in the first seconds of listening, nothing is heard.
   */
  async onMoved(heard: () => void): Promise<() => void> {
    return this.#connection.moves.listen((await this.opened()).db, heard);
  }

  /** Connects if that has not been done. Whoever calls it first starts it for all. */
  async opened(): Promise<Connected> {
    return await this.#connection.opened();
  }

  /**
   * For packages that keep tables of their own beside the ledger: the database, with these tables brought up to date, or
   * only checked where `migrate` is false: once, however often it is asked for. Throws what `openHoldfast` throws.
   */
  async tables(of: PackageMigrations): Promise<TablesDatabase> {
    return await this.#connection.tables(of);
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

  async #close(graceSeconds: number): Promise<void> {
    const closed = new HoldfastError("DATABASE_UNAVAILABLE", { why: "this Holdfast was closed" });
    await this.#fleet.stop(graceSeconds);
    await Promise.all(
      this.#leases.attention.sessions.map((session) => session.wind(closed, graceSeconds * 1000)),
    );
    await this.#inline.settled();
    setOutsideRun(this, undefined);
    await this.#leases.stop();
    await this.#connection.close();
  }
}
