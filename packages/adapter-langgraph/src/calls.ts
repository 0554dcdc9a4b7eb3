import { current, HoldfastError, openOutlet, type Port } from "@holdfast/core";
import { drive, type GraphCall } from "./drive.ts";
import { executionOf } from "./execution.ts";
import { fromKept, toKept } from "./kept.ts";
import { answerWith, chunksOf, interruptsOf } from "./questions.ts";
import { HoldfastSaver } from "./saver/saver.ts";
import { isControlFlow } from "./stop.ts";
import { isResume, runOf, sameForAll, unfinishedOr } from "./thread.ts";

/** Where a call on a thread began: kept as the first step of its run. */
interface Beginning {
  readonly input: unknown;
  readonly checkpoint: string | undefined;
  /** The thread's newest checkpoint then. */
  readonly head: string | undefined;
}

/** A checkpoint that no thread has. A graph that begins there begins anew. */
const NOWHERE = "00000000-0000-0000-0000-000000000000";

/** A call on a thread is a run of its own, or goes on with the thread's last one. */
export async function* callOnThread(call: GraphCall): AsyncGenerator<unknown> {
  const { graph, holdfast: hf, onLeased, onUnfinished, input, configurable } = call;
  const { thread_id, checkpoint_id: checkpoint } = configurable;
  const thread = typeof thread_id === "number" ? String(thread_id) : thread_id; // LangGraph takes both
  if (typeof thread !== "string" || thread === "") {
    const why =
      "is missing: a durable graph needs to know which thread it is called on, unless it is called inside hf.run";
    throw new HoldfastError("INVALID_ARGUMENT", { argument: "configurable.thread_id", why });
  }
  const agent = graph.name ?? "LangGraph";
  const run = await runOf(hf, { thread, agent, input, checkpoint, onUnfinished });
  // An answer is one to what the run asks; LangGraph has asked nothing then, and goes on with nothing.
  if (run.asks) await answerWith(hf, run.id, (input as { resume?: unknown }).resume);
  const outlet = openOutlet<unknown>();
  let interrupted = false;
  let began = false;
  let driven: Promise<void> | undefined;
  const work = async () => {
    began = true;
    const port = portOf();
    const begun = await beginning(call, port);
    const asked = run.goesOn
      ? goingOn(run.id, begun, await headOf(call), run.asks ? null : input)
      : { input, checkpoint };
    const at = { ...configurable, checkpoint_id: asked.checkpoint };
    driven = drive(call, port, asked.input, without(at, "checkpoint_id"), outlet);
    await driven;
    await Promise.allSettled(executionOf(port).underWay);
    interrupted = await isInterrupted(call);
    // The graph waits for its caller, as after interrupt(): the run does too.
    if (interrupted) throw waitsForCaller(run.id);
  };
  const done = hf.run(run.id, work, { ...run.options, onLeased }).then(() => {
    if (!began) throw new HoldfastError("RUN_LEASED", { runId: run.id, worker: "this process" });
  });
  done
    .then(
      () => outlet.close(),
      async (error: unknown) => {
        if (!interrupted && !asksPeople(error)) return outlet.error(unfinishedOr(error, run.id));
        if (asksPeople(error)) {
          await driven?.catch(() => {}); // what the graph streams as it winds up comes first
          const interrupts = await interruptsOf(hf, run.id);
          for (const chunk of chunksOf(graph, call.options, interrupts)) outlet.enqueue(chunk);
        }
        outlet.close();
      },
    )
    .catch(outlet.error);
  try {
    yield* outlet.stream;
  } finally {
    await done.catch(() => {}); // as LangGraph does, whose generator ends with the graph
  }
}

/** A call inside `hf.run`: part of that run. The run's work is re-run over its ledger, and so is the graph. */
export async function* callInRun(call: GraphCall, around: Port): AsyncGenerator<unknown> {
  const { graph, checkpointer, input, configurable } = call;
  const outlet = openOutlet<unknown>();
  const done = around.lane(graph.name ?? "LangGraph", async () => {
    const port = portOf();
    if (checkpointer === undefined || configurable.checkpoint_id !== undefined) {
      return await drive(call, port, input, configurable, outlet);
    }
    // What an execution before this one has left on the thread is behind where this call begins.
    const { head } = await beginning(call, port);
    const moved = !port.isReplay && head !== (await headOf(call));
    if (moved && head !== undefined && !(await has(call, head))) throw lost(port.runId);
    await drive(
      call,
      port,
      input,
      moved ? { ...configurable, checkpoint_id: head ?? NOWHERE } : configurable,
      outlet,
    );
  });
  done.then(
    () => outlet.close(),
    (error: unknown) => outlet.error(error),
  );
  around.keep(done.catch(() => {})); // whoever reads the stream is told
  const stop = () => outlet.error(around.signal.reason);
  around.signal.addEventListener("abort", stop, { once: true });
  try {
    yield* outlet.stream;
  } finally {
    around.signal.removeEventListener("abort", stop);
  }
}

/** A call from a node of a graph that is not durable: that graph owns the thread, and this is a run for the node. */
export async function* callInGraph(call: GraphCall): AsyncGenerator<unknown> {
  const { graph, holdfast, onLeased, input, configurable } = call;
  const { thread_id: thread } = configurable;
  if (thread === undefined) {
    const why = "is missing in the graph around this one: call that on a thread, or make it durable";
    throw new HoldfastError("INVALID_ARGUMENT", { argument: "configurable.thread_id", why });
  }
  const id = `${thread}|${placeOf(call)}`;
  const asked = sameForAll(toKept(input ?? null));
  const outlet = openOutlet<unknown>();
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
  holdfast.run(id, work, { agent: graph.name ?? "LangGraph", input: asked, onLeased }).then(
    () => outlet.close(),
    (error: unknown) => outlet.error(steering ? steering.error : error),
  );
  yield* outlet.stream;
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

/** Did the run park because of questions? */
const asksPeople = (error: unknown): boolean =>
  HoldfastError.is(error, "RUN_WAITING") && error.details.questions.length > 0;

/** Where the call began, the first time that it was made. */
function beginning(call: GraphCall, port: Port): Promise<Beginning> {
  const { input, configurable } = call;
  return port.step<Beginning>({ kind: "step", name: "thread", input: undefined, pure: true }, async () => ({
    input: toKept(input),
    checkpoint: configurable.checkpoint_id,
    head: await headOf(call),
  }));
}

/**
 * What LangGraph is called with to go on: nothing, where it finds what it has saved, or a command. Where it has saved
 * nothing since the run began, what the run began with.
 */
function goingOn(
  runId: string,
  begun: Beginning,
  head: string | undefined,
  input: unknown,
): Pick<Beginning, "input" | "checkpoint"> {
  const first = fromKept(begun.input);
  // The ids of checkpoints grow with time.
  if (begun.head !== undefined && (head === undefined || head < begun.head)) throw lost(runId);
  if (head !== begun.head) return { input: isResume(input) ? input : null, checkpoint: undefined };
  return { input: isResume(first) && isResume(input) ? input : first, checkpoint: begun.checkpoint };
}

/** Not every checkpointer outlives a crash. On another history the graph would not come to what is on record. */
const lost = (runId: string) =>
  new HoldfastError("DIVERGED", {
    runId,
    step: "thread",
    why: "the checkpointer of its thread has lost what was there when it began",
  });

/** Has the graph stopped before its end, for its caller to go on? */
async function isInterrupted({ graph, checkpointer, configurable }: GraphCall): Promise<boolean> {
  if (!checkpointer) return false;
  const { next } = await graph.getState({ configurable: { thread_id: configurable.thread_id } });
  return next.length > 0;
}

/** The newest checkpoint of the thread. */
async function headOf({ checkpointer, configurable }: GraphCall): Promise<string | undefined> {
  const { thread_id } = configurable;
  if (thread_id === undefined) return undefined;
  if (checkpointer instanceof HoldfastSaver) return await checkpointer.head(String(thread_id));
  const head = await checkpointer?.getTuple({ configurable: { thread_id, checkpoint_ns: "" } });
  return head?.config.configurable?.checkpoint_id;
}

/** Is this checkpoint still there? */
async function has({ checkpointer, configurable }: GraphCall, checkpoint_id: string): Promise<boolean> {
  const { thread_id, checkpoint_ns = "" } = configurable;
  const found = await checkpointer?.getTuple({ configurable: { thread_id, checkpoint_ns, checkpoint_id } });
  return found !== undefined;
}

const waitsForCaller = (runId: string) =>
  new HoldfastError("RUN_WAITING", { runId, waitingOn: "caller", questions: [], doubts: [] });

function without<T extends object>(value: T, name: keyof T): T {
  const { [name]: dropped, ...rest } = value;
  return dropped === undefined ? (rest as T) : value;
}

function portOf(): Port {
  const port = current();
  if (!port) throw new Error("A graph is driven inside a run.");
  return port;
}
