import { decode, type Encoded } from "./codec.ts";
import type { After, CallKind, Entry, Observation, Usage } from "./ledger/entry.ts";
import type { Run, Step } from "./ledger/replay.ts";
import type { RunStatus, WaitingOn } from "./run/status.ts";

interface Told {
  readonly runId: string;
  readonly agent: string | undefined;
  /** Of the lease that this process works under. */
  readonly epoch: number;
}

/** Something became of a run that this process works on. */
export interface RunTold extends Told {
  /** `begins`: it is this process'. `parks`, `leaves`: it was given back. `lost`: it was taken over, or may be. */
  readonly at: "begins" | "parks" | "leaves" | "lost" | "ends";
  /** Of one that begins: what this execution comes after. */
  readonly after?: After | undefined;
  readonly waitingOn?: WaitingOn | null | undefined;
  /** Of one that ends. */
  readonly status?: RunStatus | undefined;
  /** What it failed with, as it is recorded, or what it was lost by. */
  readonly error?: unknown;
}

/** Something became of a model call, a tool call or a step. */
export interface StepTold extends Told {
  readonly step: string;
  readonly name: string;
  readonly call: CallKind | undefined;
  /** `made`: it went out, and what came of it is recorded. `replayed`: it is on record, and did not go out. */
  readonly at: "made" | "replayed" | "refused" | "doubted";
  readonly ok: boolean;
  readonly ms?: number | undefined;
  readonly usage?: Usage | undefined;
  /** In micro-dollars. */
  readonly cost?: number | undefined;
  /** What it threw, as it is recorded; why it was refused or is in doubt. */
  readonly error?: unknown;
}

/** A run of this process asks a person. */
export interface QuestionTold extends Told {
  readonly question: string;
  readonly step: string;
  readonly asks: "approval" | "input";
  readonly name: string;
  readonly text: string;
}

/**
 * Functions that are told what becomes of the runs that this process works on, once it is durable. Nothing waits for them,
 * and what they throw harms no run. Inputs and outputs are in the ledger.
 */
export interface Hooks {
  readonly onRun?: (told: RunTold) => unknown;
  readonly onStep?: (told: StepTold) => unknown;
  readonly onQuestion?: (told: QuestionTold) => unknown;
}

/** What Holdfast needs of a pino logger. */
export interface Log {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** Tells hooks and the log. */
export class Telling {
  readonly #hooks: Hooks;
  readonly #log: Log | undefined;

  constructor(hooks: Hooks = {}, log?: Log) {
    this.#hooks = hooks;
    this.#log = log;
  }

  run(told: RunTold): void {
    const { runId: run, agent, epoch, at, ...more } = told;
    this.#write("info", { run, agent, epoch, ...logged(more) }, `run ${at}`);
    this.#call("onRun", told);
  }

  /** An entry that the run's owner has written: calls, questions and ends are told. */
  entry(run: Run, entry: Entry): void {
    const about = aboutOf(run, entry.epoch);
    switch (entry.kind) {
      case "observation":
        // A time or an id that was recorded has no duration, and neither has what a replay's stand-in says.
        if (entry.ms !== undefined) this.#step({ ...about, at: "made", ...cameOf(entry) });
        break;
      case "refusal": {
        const { step, name, call, reason } = entry;
        this.#step({ ...about, at: "refused", step, name, call, ok: false, error: reason });
        break;
      }
      case "doubt": {
        const { step, why } = entry;
        const doubted = run.steps.get(step);
        const name = doubted?.name ?? step;
        const call = doubted && "intent" in doubted ? doubted.intent?.call : undefined;
        this.#step({ ...about, at: "doubted", step, name, call, ok: false, error: why });
        break;
      }
      case "question": {
        const { question, step, asks, name, text } = entry;
        this.#write(
          "info",
          { run: about.runId, epoch: about.epoch, step, question, name },
          `asks for an ${asks}`,
        );
        this.#call("onQuestion", { ...about, question, step, asks, name, text });
        break;
      }
      case "outcome": {
        const { status, value } = entry;
        const failed = status === "failed" ? { error: decoded(value) } : {};
        this.run({ ...about, at: "ends", status, ...failed });
        break;
      }
      default:
        break;
    }
  }

  /** A call was answered from the record. What this execution itself has put there was told then. */
  replayed(run: Run, step: Step, epoch: number | undefined): void {
    const about = aboutOf(run, epoch ?? run.epoch);
    const isNew = (at: number) => at === epoch;
    if (step.at === "observed" && !isNew(step.observation.epoch)) {
      if (step.observation.ms === undefined) return;
      const { usage: _usage, cost: _cost, ms: _ms, ...came } = cameOf(step.observation);
      this.#step({ ...about, at: "replayed", ...came });
    }
    if (step.at === "done" && !isNew(step.resolution.epoch)) {
      const { key, name, intent } = step;
      this.#step({ ...about, at: "replayed", step: key, name, call: intent.call, ok: true });
    }
  }

  /** Something that this process does for all runs fails, and is tried again. */
  failing(duty: string, err: unknown): void {
    this.#write("error", { err }, `${duty} failed`);
  }

  #step(told: StepTold): void {
    const { runId: run, epoch, step, at, agent: _agent, ...more } = told;
    this.#write("debug", { run, epoch, step, ...logged(more) }, `step ${at}`);
    this.#call("onStep", told);
  }

  /** A log that throws harms no run, and there is nobody else who could be told. */
  #write(level: keyof Log, fields: object, message: string): void {
    try {
      this.#log?.[level](fields, message);
    } catch {}
  }

  #call<H extends keyof Hooks>(hook: H, told: Parameters<NonNullable<Hooks[H]>>[0]): void {
    const harmless = (err: unknown) => this.#write("error", { run: told.runId, hook, err }, "a hook threw");
    try {
      const called: unknown = (this.#hooks[hook] as ((told: object) => unknown) | undefined)?.(told);
      if (called instanceof Promise) called.catch(harmless);
    } catch (error) {
      harmless(error);
    }
  }
}

const aboutOf = ({ start }: Run, epoch: number): Told => ({
  runId: start?.runId ?? "",
  agent: start?.agent,
  epoch,
});

const cameOf = ({ step, name, call, ok, ms, usage, cost, value }: Entry<Observation>) => ({
  ...{ step, name, call, ok, ms, usage, cost },
  ...(ok ? {} : { error: decoded(value) }),
});

const decoded = (value: Encoded | undefined): unknown => (value === undefined ? undefined : decode(value));

/** An error stands under the name that loggers look for. */
function logged({
  error,
  ...more
}: Readonly<Record<string, unknown>> & { readonly error?: unknown }): object {
  const said = Object.fromEntries(Object.entries(more).filter(([, value]) => value !== undefined));
  return error === undefined ? said : { ...said, err: error };
}
