import type { Holdfast, Outlet, Port } from "@holdfast/core";
import type { Checkpointer, Configurable, Graph, GraphOptions } from "./graph.ts";
import { Watchdog } from "./watchdog.ts";

/** A call of a durable graph. */
export interface GraphCall {
  readonly graph: Graph;
  /** What the call reads and writes the thread with. */
  readonly checkpointer: Checkpointer | undefined;
  readonly holdfast: Holdfast;
  readonly onLeased: "refuse" | "wait";
  readonly onUnfinished: "refuse" | "cancel";
  readonly input: unknown;
  readonly options: GraphOptions;
  /** Of the call, of the graph, and of what is around it. */
  readonly configurable: Configurable;
  /** The graph as LangGraph runs it, as long as the signal of its run is not aborted. */
  readonly source: (input: unknown, options: GraphOptions, signal: AbortSignal) => AsyncGenerator<unknown>;
}

/** Lets LangGraph run the graph to its end, within the run. */
export async function drive(
  { checkpointer, options, source }: GraphCall,
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
    ...(checkpointer && options.checkpointDuring === undefined
      ? { durability: options.durability ?? "sync" }
      : {}),
  };
  try {
    for await (const chunk of source(input, more, port.signal)) outlet.enqueue(chunk);
  } finally {
    port.signal.removeEventListener("abort", stop);
  }
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
