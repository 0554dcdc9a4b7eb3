import { current, type Port } from "@holdfast/core";
import { executionOf, withNodeInput } from "./execution.ts";
import { holdReview } from "./hold-review.ts";
import type { CallTask, Config, Runnable } from "./runnable.ts";
import { orStopped } from "./stop.ts";

/** A class of LangGraph's nodes. A node is asked for what it runs, by every graph that it is in. */
export interface NodeClass {
  readonly prototype: { getNode: () => Runnable | undefined };
}

const patched = new WeakSet<object>();

/** From now on nodes of this class run in lanes of their own, inside a run. Outside of one they run as they did. */
export function holdNodes({ prototype }: NodeClass): void {
  if (patched.has(prototype)) return;
  patched.add(prototype);
  const { getNode } = prototype;
  prototype.getNode = function held(this: { readonly bound: Runnable }) {
    const bound = holdReview(this.bound);
    const node = bound === this.bound ? this : Object.create(this, { bound: { value: bound } });
    const runnable = getNode.call(node);
    return runnable && Object.create(runnable, { invoke: { value: invokeIn(runnable) } });
  };
}

function invokeIn(runnable: Runnable): Runnable["invoke"] {
  return (input, config) => {
    const port = current();
    const {
      langgraph_node: node,
      langgraph_step: step,
      langgraph_checkpoint_ns: task,
    } = config.metadata ?? {};
    if (!port || task === undefined) return runnable.invoke(input, config);
    const lanes = executionOf(port).nodes;
    // A node is named with its super-step: a run that goes on from a checkpoint does not come to those before it.
    return inLane(
      port,
      `${node}(${step})`,
      { get: () => lanes.get(task), set: (lane) => void lanes.set(task, lane) },
      () => withNodeInput(input, () => runnable.invoke(input, withTasks(config))),
    );
  };
}

/** Where the lane of a node or a task is kept, for when it is tried again. */
interface Place {
  get(): Port | undefined;
  set(lane: Port): void;
}

/** Runs it in a lane. The second time at one place LangGraph tries again, and what is on record is found there. */
async function inLane<T>(port: Port, name: string, place: Place, work: () => T | PromiseLike<T>): Promise<T> {
  const before = place.get();
  const done = before
    ? before.resample(work)
    : port.lane(name, async () => {
        place.set(current() ?? port);
        return await work();
      });
  return await orStopped(port, done);
}

/** The same configuration, in which the tasks of an entrypoint run in lanes of their own. */
function withTasks(config: Config): Config {
  const start = config.configurable?.__pregel_call;
  if (typeof start !== "function") return config;
  let calls = 0;
  const held: CallTask = (task, name, ...rest) => {
    const port = current();
    if (!port) return start(task, name, ...rest);
    const nth = calls++;
    let lane: Port | undefined;
    const place: Place = { get: () => lane, set: (opened) => (lane = opened) };
    return start((...args) => inLane(port, `${name}(${nth})`, place, () => task(...args)), name, ...rest);
  };
  return { ...config, configurable: { ...config.configurable, __pregel_call: held } };
}
