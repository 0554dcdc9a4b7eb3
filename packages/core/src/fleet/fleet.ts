import { HoldfastError } from "../errors.ts";
import type { RecordedRun } from "../recorded-run.ts";
import type { Database } from "../store/database.ts";
import type { Head } from "../store/runs.ts";
import type { Work } from "../trace/trace.ts";
import { type Agent, type AgentOptions, type Handler, makeAgent, type Registered } from "./agent.ts";
import { Handle } from "./handle.ts";
import type { Host, Shared } from "./host.ts";
import { Notifier } from "./notifier.ts";
import { registeredWork } from "./registered-work.ts";
import { Results } from "./results.ts";
import { type StartOptions, startRun } from "./start.ts";
import { Worker, type WorkerOptions } from "./worker.ts";

/** What belongs to runs that any worker may pick up: the agents of this process, its workers, and how runs are started. */
export class Fleet implements Shared {
  readonly host: Host;
  readonly results: Results;
  readonly #agents = new Map<string, Registered>();
  readonly #workers = new Set<Worker>();
  #notifier: Notifier | undefined;

  constructor(host: Host) {
    this.host = host;
    this.results = new Results(() => host.db());
  }

  get agents(): ReadonlyMap<string, Registered> {
    return this.#agents;
  }

  agent<Raw, Input, Output>(
    name: string,
    handler: Handler<Input, Output>,
    options: AgentOptions<Raw, Input>,
  ): Agent<Raw, Output> {
    const { agent, registered } = makeAgent(name, handler, options);
    if (this.#agents.has(name)) {
      const why = "is registered already in this process: give each agent a name of its own";
      throw new HoldfastError("INVALID_ARGUMENT", { argument: `agent("${name}")`, why });
    }
    this.#agents.set(name, registered);
    return agent;
  }

  async start<Raw, Output>(
    agent: Agent<Raw, Output>,
    input: Raw,
    options: StartOptions = {},
  ): Promise<Handle<Output>> {
    return new Handle<Output>(this, await startRun(this, agent, input, options));
  }

  /** A run that was made by forking: if it is queued, workers may want it. */
  forked(db: Database, runId: string): Handle {
    this.notifier(db).tell("queued");
    return new Handle(this, runId);
  }

  /** What does the work of a recorded run, to replay it. Throws COMMAND_NOT_ALLOWED. */
  workOf(recorded: RecordedRun & { readonly head: Head }): Promise<Work<unknown>> {
    return registeredWork(this, recorded);
  }

  worker(options: WorkerOptions): Worker {
    const worker = new Worker(this, options);
    this.#workers.add(worker);
    return worker;
  }

  notifier(db: Database): Notifier {
    this.#notifier ??= new Notifier(db);
    return this.#notifier;
  }

  async stop(graceSeconds: number): Promise<void> {
    await Promise.all([...this.#workers].map((worker) => worker.stop({ graceSeconds })));
  }
}
