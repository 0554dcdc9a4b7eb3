import { current, type Holdfast } from "@holdfast/core";
import { AsyncLocalStorageProviderSingleton } from "@langchain/core/singletons";
import { callInGraph, callInRun, callOnThread } from "./calls.ts";
import { standIn, whileRunning } from "./checkpointer.ts";
import type { GraphCall } from "./drive.ts";
import type { Configurable, Graph, GraphClass, GraphOptions } from "./graph.ts";
import { holdOtherCores } from "./reach.ts";
import type { HoldfastSaver } from "./saver/saver.ts";
import { unlessStopped } from "./stop.ts";

export interface DurabilityOptions {
  /** Where the runs of this graph live. Default: the one that is opened on DATABASE_URL when it is first used. */
  readonly holdfast?: Holdfast;
  /** Another input for a thread whose last run is not finished: `refuse` with RUN_UNFINISHED (default), or `cancel` that run. */
  readonly onUnfinished?: "refuse" | "cancel";
  /** Somebody alive is working on the run: `refuse` with RUN_LEASED (default), or `wait` until that is over. */
  readonly onLeased?: "refuse" | "wait";
}

export interface Settings extends Required<DurabilityOptions> {
  /** The checkpointer of a graph that has none of its own. */
  readonly saver: HoldfastSaver;
}

export const DURABLE = Symbol.for("holdfast.langgraph.durable");

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
      const settings = this[DURABLE];
      // A run's ledger is all that a graph inside it needs: one without a checkpointer stays without, or has that around it.
      const isBare = port !== undefined && this.checkpointer === settings.saver;
      const checkpointer = isBare ? undefined : this.checkpointer;
      if (port && isNested) {
        const graph = isBare ? new Durable(Object.assign({}, this, { checkpointer })) : this;
        return yield* super._streamIterator.call(graph, input, options);
      }
      await holdOtherCores();
      const given = typeof checkpointer === "object" ? checkpointer : undefined;
      const own = given && port?.isReplay ? standIn(port, given) : given;
      const source: GraphCall["source"] = (asked, more, signal) => {
        const fenced = own ? whileRunning(own, signal) : checkpointer;
        const graph = new Durable(Object.assign({}, this, { checkpointer: fenced }));
        return super._streamIterator.call(graph, asked, { ...options, ...more });
      };
      const call: GraphCall = {
        graph: this,
        checkpointer: own,
        holdfast: settings.holdfast,
        onLeased: settings.onLeased,
        onUnfinished: settings.onUnfinished,
        input,
        options,
        configurable,
        source,
      };
      if (port) yield* callInRun(call, port);
      else if (isNested) yield* callInGraph(call);
      else yield* callOnThread(call);
    }

    override getState(config: GraphOptions, more?: object): ReturnType<Graph["getState"]> {
      return super.getState.call(inReplay(this), config, more);
    }

    override getStateHistory(config: GraphOptions, more?: object): AsyncGenerator<unknown> {
      return super.getStateHistory.call(inReplay(this), config, more);
    }

    override bulkUpdateState(config: GraphOptions, supersteps: readonly object[]): Promise<GraphOptions> {
      return super.bulkUpdateState.call(inReplay(this), config, supersteps);
    }
  }

  /** The graph, on threads that only the replay knows if this is one. */
  function inReplay(graph: Durable): Durable {
    const port = current();
    if (!port?.isReplay || typeof graph.checkpointer !== "object") return graph;
    return new Durable(Object.assign({}, graph, { checkpointer: standIn(port, graph.checkpointer) }));
  }

  Object.defineProperty(Durable, "name", { value: Base.name });
  const durable = Durable as unknown as GraphClass;
  classes.set(Base, durable);
  classes.set(durable, durable);
  return durable;
}

/** As LangGraph merges them: what is around the call, what the graph is configured with, and what the call says. */
function configurableOf(graph: Graph, options: GraphOptions): Configurable {
  const around = AsyncLocalStorageProviderSingleton.getRunnableConfig() as GraphOptions | undefined;
  return { ...around?.configurable, ...graph.config?.configurable, ...options.configurable };
}
