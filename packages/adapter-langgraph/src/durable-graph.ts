import { current, type Holdfast, HoldfastError, type Port } from "@holdfast/core";
import { AsyncLocalStorageProviderSingleton } from "@langchain/core/singletons";
import { executionOf } from "./execution.ts";
import {
  type Configurable,
  checkpointerOf,
  type Graph,
  type GraphClass,
  type GraphOptions,
  headOf,
} from "./graph.ts";
import { fromKept, toKept } from "./kept.ts";
import { Outlet } from "./outlet.ts";
import { holdOtherCores } from "./reach.ts";
import type { HoldfastSaver } from "./saver/saver.ts";
import { isControlFlow, unlessStopped } from "./stop.ts";
import { isResume, runOf, sameForAll, unfinishedOr } from "./thread.ts";
import { Watchdog } from "./watchdog.ts";

export interface DurabilityOptions {
  /** Where the runs of this graph live. Default: the one that is opened on DATABASE_URL when it is first used. */
  readonly holdfast?: Holdfast;
}

export interface Settings extends Required<DurabilityOptions> {
  /** The checkpointer of a graph that has none of its own. */
  readonly saver: HoldfastSaver;
}

export const DURABLE = Symbol.for("holdfast.langgraph.durable");

/** Where a call on a thread began: kept as the first step of its run. */
interface Beginning {
  readonly input: unknown;
  readonly checkpoint: string | undefined;
  /** The thread's newest checkpoint then. */
  readonly head: string | undefined;
}

/** A checkpoint that no thread has. A graph that begins there begins anew. */
const NOWHERE = "00000000-0000-0000-0000-000000000000";

const classes = new WeakMap<GraphClass, GraphClass>();

/** The same class of graphs, whose calls are runs. */
export function durableClass(Base: GraphClass): GraphClass {
  const known = classes.get(Base);
  if (known) return known;

  class Durable extends Base {
    readonly [DURABLE]: Settings;

    constructor(fields: { readonly [DURABLE]: Settings; readonly checkpointer?: Graph["checkpointer"] }) {
      super(fields);
      this[DURABLE] = fields[DURABLE]; // LangGraph makes a graph of another graph's fields: withConfig does
    }

    /** Inside a run that stops it stays pending: what comes after it is not to go on. */
    override invoke(input: unknown, options?: GraphOptions): Promise<unknown> {
      const port = current();
      return port ? unlessStopped(port, super.invoke(input, options)) : super.invoke(input, options);
    }

    override async *_streamIterator(input: unknown, options: GraphOptions = {}): AsyncGenerator<unknown> {
      const port = current();
      const configurable = configurableOf(this, options);
      const isNested = configurable.__pregel_read !== undefined;
      if (port && isNested) return yield* super._streamIterator(input, options);
      await holdOtherCores();
      const settings = this[DURABLE];
      // A run's ledger is all that a graph inside it needs: one without a checkpointer stays without.
      const isBare = port !== undefined && this.checkpointer === settings.saver;
      const graph: Graph = isBare ? new Durable(Object.assign({}, this, { checkpointer: undefined })) : this;
      const source: GraphCall["source"] = (asked, more) =>
        super._streamIterator.call(graph, asked, { ...options, ...more });
      const call: GraphCall = { graph, settings, input, options, configurable, source };
      if (port) yield* callInRun(call, port);
      else if (isNested) yield* callInGraph(call);
      else yield* callOnThread(call);
    }
  }
  Object.defineProperty(Durable, "name", { value: Base.name });
  const durable = Durable as unknown as GraphClass;
  classes.set(Base, durable);
  classes.set(durable, durable);
  return durable;
}

interface GraphCall {
  readonly graph: Graph;
  readonly settings: Settings;
  readonly input: unknown;
  readonly options: GraphOptions;
  readonly configurable: Configurable;
  /** The graph as LangGraph runs it. */
  readonly source: (input: unknown, options: GraphOptions) => AsyncGenerator<unknown>;
}

/** A call on a thread is a run of its own, or goes on with the thread's last one. */
async function* callOnThread(call: GraphCall): AsyncGenerator<unknown> {
  const { graph, settings, input, configurable } = call;
  const { thread_id, checkpoint_id: checkpoint } = configurable;
  const thread = typeof thread_id === "number" ? String(thread_id) : thread_id; // LangGraph takes both
  if (typeof thread !== "string" || thread === "") {
    const why =
      "is missing: a durable graph needs to know which thread it is called on, unless it is called inside hf.run";
    throw new HoldfastError("INVALID_ARGUMENT", { argument: "configurable.thread_id", why });
  }
  const { holdfast: hf } = settings;
  const agent = graph.name ?? "LangGraph";
  const run = await runOf(hf, { thread, agent, input, checkpoint });
  const outlet = new Outlet<unknown>();
  let interrupted = false;
  let began = false;
  const work = async () => {
    began = true;
    const port = portOf();
    const begun = await beginning(call, port);
    const asked = run.goesOn ? goingOn(begun, await headOf(graph, thread), input) : { input, checkpoint };
    const at = { ...configurable, checkpoint_id: asked.checkpoint };
    await drive(call, port, asked.input, without(at, "checkpoint_id"), outlet);
    await Promise.allSettled(executionOf(port).underWay);
    interrupted = await isInterrupted(graph, thread);
    // The graph waits for its caller, as after interrupt(): the run does too.
    if (interrupted) throw waitsForCaller(run.id);
  };
  const done = hf.run(run.id, work, run.options).then(() => {
    if (!began) throw new HoldfastError("RUN_LEASED", { runId: run.id, worker: "this process" });
  });
  done.then(
    () => outlet.end(),
    (error: unknown) => (interrupted ? outlet.end() : outlet.fail(unfinishedOr(error, run.id))),
  );
  try {
    yield* outlet;
  } finally {
    await done.catch(() => {}); // as LangGraph does, whose generator ends with the graph
  }
}

/** A call inside `hf.run`: part of that run. The run's work is re-run over its ledger, and so is the graph. */
async function* callInRun(call: GraphCall, around: Port): AsyncGenerator<unknown> {
  const { graph, input, configurable } = call;
  const { thread_id: thread } = configurable;
  const outlet = new Outlet<unknown>();
  const done = around.lane(graph.name ?? "LangGraph", async () => {
    const port = portOf();
    if (checkpointerOf(graph) === undefined || configurable.checkpoint_id !== undefined) {
      return await drive(call, port, input, configurable, outlet);
    }
    // What an execution before this one has left on the thread is behind where this call begins.
    const { head } = await beginning(call, port);
    const moved = head !== (await headOf(graph, thread));
    await drive(
      call,
      port,
      input,
      moved ? { ...configurable, checkpoint_id: head ?? NOWHERE } : configurable,
      outlet,
    );
  });
  done.then(
    () => outlet.end(),
    (error: unknown) => outlet.fail(error),
  );
  around.keep(done.catch(() => {})); // whoever reads the stream is told
  const stop = () => outlet.fail(around.signal.reason);
  around.signal.addEventListener("abort", stop, { once: true });
  try {
    yield* outlet;
  } finally {
    around.signal.removeEventListener("abort", stop);
  }
}

/** A call from a node of a graph that is not durable: that graph owns the thread, and this is a run for the node. */
async function* callInGraph(call: GraphCall): AsyncGenerator<unknown> {
  const { graph, settings, input, configurable } = call;
  const { thread_id: thread } = configurable;
  if (thread === undefined) {
    const why = "is missing in the graph around this one: call that on a thread, or make it durable";
    throw new HoldfastError("INVALID_ARGUMENT", { argument: "configurable.thread_id", why });
  }
  const id = `${thread}|${placeOf(call)}`;
  const asked = sameForAll(toKept(input ?? null));
  const outlet = new Outlet<unknown>();
  let steering: { error: unknown } | undefined;
  const work = async () => {
    try {
      await drive(call, portOf(), input, configurable, outlet);
    } catch (error) {
      if (!isControlFlow(error)) throw error;
      steering = { error };
      await Promise.allSettled(executionOf(portOf()).underWay);
      throw waitsForCaller(id);
    }
    return outlet; // no data: the node that is run again gets it rebuilt from the record
  };
  settings.holdfast.run(id, work, { agent: graph.name ?? "LangGraph", input: asked }).then(
    () => outlet.end(),
    (error: unknown) => outlet.fail(steering ? steering.error : error),
  );
  yield* outlet;
}

/** How many durable graphs a node has called so far, by what LangGraph keeps of the node's execution. */
const called = new WeakMap<object, number>();

/**
 * Where in the graph around it a durable graph is called: the node, the step of the thread, which task of the step, which
 * call of the task. LangGraph's own name for it has an id made of the checkpoint before it, and after a crash that
 * may be another one. One graph further in, no step of the thread tells one call from another.
 */
function placeOf({ options, configurable }: GraphCall): string {
  const { checkpoint_ns: node = "", __pregel_scratchpad: task } = configurable;
  const { langgraph_step: step, langgraph_path: path } = options.metadata ?? {};
  if (node.includes("|") || step === undefined || path === undefined) {
    const why = "lies deeper than one graph in graphs that are not durable: make the graph around it durable";
    throw new HoldfastError("INVALID_ARGUMENT", { argument: "graph", why });
  }
  const n = (task && called.get(task)) ?? 0;
  if (task) called.set(task, n + 1);
  return `${node.split(":")[0]}@${step}/${path.join("/")}${n > 0 ? `#${n}` : ""}`;
}

/** Lets LangGraph run the graph to its end, within the run. */
async function drive(
  { graph, options, source }: GraphCall,
  port: Port,
  input: unknown,
  configurable: Configurable,
  outlet: Outlet<unknown>,
): Promise<void> {
  // Nodes are told first, so that LangGraph ends them as interrupted; then whatever is left is aborted.
  const ended = new AbortController();
  const stop = () => void setImmediate(() => ended.abort(port.signal.reason));
  port.signal.addEventListener("abort", stop, { once: true });
  const watchdog = new Watchdog((error) => port.keep(Promise.reject(error)));
  const more: GraphOptions = {
    configurable,
    callbacks: withHandler(options.callbacks, watchdog),
    signal: options.signal ? AbortSignal.any([options.signal, ended.signal]) : ended.signal,
    ...(checkpointerOf(graph) && options.checkpointDuring === undefined
      ? { durability: options.durability ?? "sync" }
      : {}),
  };
  try {
    for await (const chunk of source(input, more)) outlet.push(chunk);
  } finally {
    port.signal.removeEventListener("abort", stop);
  }
}

/** Where the call began, the first time that it was made. */
function beginning({ graph, input, configurable }: GraphCall, port: Port): Promise<Beginning> {
  const { thread_id: thread, checkpoint_id: checkpoint } = configurable;
  return port.step<Beginning>({ kind: "step", name: "thread", input: undefined, pure: true }, async () => ({
    input: toKept(input),
    checkpoint,
    head: await headOf(graph, thread),
  }));
}

/**
 * What LangGraph is called with to go on: nothing, where it finds what it has saved, or a command. Where it has saved
 * nothing since the run began, what the run began with.
 */
function goingOn(
  begun: Beginning,
  head: string | undefined,
  input: unknown,
): Pick<Beginning, "input" | "checkpoint"> {
  const first = fromKept(begun.input);
  if (head !== begun.head) return { input: isResume(input) ? input : null, checkpoint: undefined };
  return { input: isResume(first) && isResume(input) ? input : first, checkpoint: begun.checkpoint };
}

/** Has the graph stopped before its end, for its caller to go on? */
async function isInterrupted(graph: Graph, thread: string): Promise<boolean> {
  if (!checkpointerOf(graph)) return false;
  const { next } = await graph.getState({ configurable: { thread_id: thread } });
  return next.length > 0;
}

const waitsForCaller = (runId: string) =>
  new HoldfastError("RUN_WAITING", { runId, waitingOn: "caller", questions: [], doubts: [] });

/** As LangGraph merges them: what is around the call, what the graph is configured with, and what the call says. */
function configurableOf(graph: Graph, options: GraphOptions): Configurable {
  const around = AsyncLocalStorageProviderSingleton.getRunnableConfig() as GraphOptions | undefined;
  return { ...around?.configurable, ...graph.config?.configurable, ...options.configurable };
}

/** Callbacks are a list, or a manager of LangChain's. */
function withHandler(callbacks: unknown, handler: object): unknown {
  if (callbacks === undefined || callbacks === null) return [handler];
  if (Array.isArray(callbacks)) return [...callbacks, handler];
  const manager = (callbacks as CallbackManager).copy();
  manager.addHandler(handler, true);
  return manager;
}

interface CallbackManager {
  copy(): CallbackManager;
  addHandler(handler: object, inherit: boolean): void;
}

function without<T extends object>(value: T, name: keyof T): T {
  const { [name]: dropped, ...rest } = value;
  return dropped === undefined ? (rest as T) : value;
}

function portOf(): Port {
  const port = current();
  if (!port) throw new Error("A graph is driven inside a run.");
  return port;
}
