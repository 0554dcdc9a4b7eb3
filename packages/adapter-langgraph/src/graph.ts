import type { NodeClass } from "./node.ts";

/** A compiled graph of LangGraph, as far as it concerns us. Its types are the user's. */
export interface Graph {
  readonly lg_is_pregel: boolean;
  readonly name?: string | undefined;
  readonly nodes: Readonly<Record<string, object>>;
  readonly config?: GraphOptions | undefined;
  readonly streamMode?: readonly string[] | undefined;
  /** A checkpointer; `false` for none, and `true` for that of the graph around it. */
  checkpointer?: Checkpointer | boolean | undefined;
  invoke(input: unknown, options?: GraphOptions): Promise<unknown>;
  /** What every call of a graph comes to: invoke, stream, batch and streamEvents. */
  _streamIterator(input: unknown, options?: GraphOptions): AsyncGenerator<unknown>;
  getState(config: GraphOptions, more?: object): Promise<{ readonly next: readonly string[] }>;
  getStateHistory(config: GraphOptions, more?: object): AsyncGenerator<unknown>;
  /** What `updateState` comes to. */
  bulkUpdateState(config: GraphOptions, supersteps: readonly object[]): Promise<GraphOptions>;
}

export type GraphClass = new (fields: object) => Graph;

export interface Checkpointer {
  getTuple(config: GraphOptions): Promise<{ readonly config: GraphOptions } | undefined>;
  put(config: GraphOptions, checkpoint: { readonly id: string }, ...rest: unknown[]): Promise<GraphOptions>;
  putWrites(...args: unknown[]): Promise<void>;
  getNextVersion(version: unknown): unknown;
}

export interface GraphOptions {
  readonly configurable?: Configurable | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly callbacks?: unknown;
  readonly streamMode?: string | readonly string[] | undefined;
  readonly subgraphs?: boolean | undefined;
  readonly durability?: string | undefined;
  /** Inside a node of a graph, what LangGraph says of the node's execution. */
  readonly metadata?:
    | {
        readonly langgraph_step?: number | undefined;
        readonly langgraph_path?: readonly (string | number)[] | undefined;
      }
    | undefined;
  readonly checkpointDuring?: boolean | undefined;
}

export interface Configurable {
  readonly thread_id?: string | undefined;
  readonly checkpoint_id?: string | undefined;
  readonly checkpoint_ns?: string | undefined;
  /** Inside a node of a graph, an object of this execution of the node. */
  readonly __pregel_scratchpad?: object | undefined;
  /** Inside a node of a graph, how it reads that graph's state. */
  readonly __pregel_read?: unknown;
}

/** The classes of the graph's nodes: mostly one. */
export const nodeClassesOf = ({ nodes }: Graph): NodeClass[] =>
  Object.values(nodes).map((node) => node.constructor as unknown as NodeClass);
