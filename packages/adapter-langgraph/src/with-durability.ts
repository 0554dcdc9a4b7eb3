import { HoldfastError, hf } from "@holdfast/core";
import { DURABLE, type DurabilityOptions, durableClass, type Settings } from "./durable-graph.ts";
import { type Graph, type GraphClass, nodeClassesOf } from "./graph.ts";
import { holdNodes } from "./node.ts";
import { holdOwnCore } from "./reach.ts";
import { HoldfastSaver } from "./saver/saver.ts";

/** What `createAgent` of langchain makes: a graph inside an object of its own. */
interface Agent {
  readonly graph: Graph;
  readonly options: object;
  withConfig?: (config: object) => Agent;
}

/**
 * The same compiled graph, or agent of `createAgent`: each new input on a thread is a run, and the model and tool calls that
 * are made in it are held. The app that is given stays as it is. Throws INVALID_ARGUMENT for anything else, and for a
 * `RemoteGraph`.
 */
export function withDurability<A extends object>(app: A, options: DurabilityOptions = {}): A {
  const { holdfast = hf, onLeased = "refuse", onUnfinished = "refuse" } = options;
  const settings: Settings = { holdfast, onLeased, onUnfinished, saver: new HoldfastSaver(holdfast) };
  if (isAgent(app)) return durableAgent(app, settings) as A; // of the same class
  if (isGraph(app)) return durableGraph(app, settings) as unknown as A; // of a subclass
  const why = (app as { lg_is_pregel?: unknown } | null)?.lg_is_pregel
    ? "is a RemoteGraph: it runs elsewhere. Wrap the graph where it is served"
    : "must be a compiled graph of LangGraph, or an agent of createAgent";
  throw new HoldfastError("INVALID_ARGUMENT", { argument: "The app of withDurability", why });
}

const isGraph = (app: object): app is Graph =>
  (app as Partial<Graph>).lg_is_pregel === true && typeof (app as Partial<Graph>).nodes === "object";

const isAgent = (app: object): app is Agent => {
  const { graph, options } = app as Partial<Agent>;
  return typeof graph === "object" && typeof options === "object" && isGraph(graph);
};

function durableGraph(graph: Graph, settings: Settings): Graph {
  hold(graph);
  const Durable = durableClass(graph.constructor as GraphClass);
  return new Durable({ ...graph, checkpointer: graph.checkpointer ?? settings.saver, [DURABLE]: settings });
}

/** An agent keeps its graph to itself: the graph of a copy is made durable where it is. */
function durableAgent(agent: Agent, settings: Settings): Agent {
  const Agent = agent.constructor as new (options: object) => Agent;
  const copy = agent.withConfig?.({}) ?? new Agent(agent.options);
  const { graph } = copy;
  hold(graph);
  graph.checkpointer = agent.graph.checkpointer ?? settings.saver;
  Object.assign(graph, { [DURABLE]: settings });
  Object.setPrototypeOf(graph, durableClass(graph.constructor as GraphClass).prototype as object);
  const { withConfig } = copy;
  // It makes an agent anew.
  if (withConfig) copy.withConfig = (config) => durableAgent(withConfig.call(copy, config), settings);
  return copy;
}

function hold(graph: Graph): void {
  holdOwnCore();
  for (const NodeClass of nodeClassesOf(graph)) holdNodes(NodeClass);
}
