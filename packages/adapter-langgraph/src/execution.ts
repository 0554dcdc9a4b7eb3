import { AsyncLocalStorage } from "node:async_hooks";
import type { Port } from "@holdfast/core";
import type { Review } from "./review.ts";

/** What this process knows of one execution of a run, beyond its ledger. */
export interface Execution {
  /** The lanes of nodes by LangGraph's task: it tries a node again under the same one. */
  readonly nodes: Map<string, Port>;
  /** Tool calls that are under way. Some outlive the node that made them. */
  readonly underWay: Set<Promise<unknown>>;
  /** What the review middleware asks about, by call. */
  readonly reviews: Map<string, Review>;
}

const executions = new WeakMap<AbortSignal, Execution>();

/** A run has one signal for each time that it is executed. */
export function executionOf({ signal }: Port): Execution {
  const known = executions.get(signal);
  if (known) return known;
  const execution: Execution = { nodes: new Map(), underWay: new Set(), reviews: new Map() };
  executions.set(signal, execution);
  return execution;
}

/** What the node that we are in was given. */
const inputs = new AsyncLocalStorage<unknown>();

export const withNodeInput = <T>(input: unknown, work: () => T): T => inputs.run(input, work);
export const nodeInput = (): unknown => inputs.getStore();
