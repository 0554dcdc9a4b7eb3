import { randomUUID } from "node:crypto";
import { HoldfastError } from "../errors.ts";
import { dependOn } from "../store/dependencies.ts";
import { recordFlow, recordFlowRuns } from "../store/flows.ts";
import type { Agent } from "./agent.ts";
import { type After, afterOf, orderOf } from "./graph.ts";
import { Handle } from "./handle.ts";
import type { Shared } from "./host.ts";
import { checkOptions, queuedOf, queueOnce, type StartOptions } from "./start.ts";

/** One run of a flow. */
export interface FlowNode {
  /** Under which its value reaches those that come after it. */
  readonly name: string;
  readonly agent: Agent<never>;
  readonly input?: unknown;
  /** What must have ended before it begins: names, or names with what their failure means for it. */
  readonly after?: readonly (string | After)[] | undefined;
  readonly priority?: number | undefined;
}

export interface FlowOptions extends Pick<StartOptions, "tags" | "priority" | "maxAttempts" | "by"> {
  /** The same key again is the same flow; with other inputs it is RUN_EXISTS_DIFFERENT. */
  readonly key?: string | undefined;
}

/** A flow that was started: its runs, by the names of its nodes. */
export interface Flow {
  readonly id: string;
  readonly runs: Readonly<Record<string, Handle>>;
  /** What each run returned, by name, once all have ended. Rejects with what the first in order failed with. */
  result(): Promise<Readonly<Record<string, unknown>>>;
}

/**
 * Starts all runs of a flow, or none: a node begins when those that it comes after have ended. Throws INVALID_ARGUMENT for a
 * name that is used twice or is unknown, and for a cycle.
 */
export async function startFlow(
  fleet: Shared,
  name: string,
  nodes: readonly FlowNode[],
  options: FlowOptions,
): Promise<Flow> {
  const { key, ...shared } = options;
  checkOptions(options);
  const order = orderOf(name, nodes);
  const id = `${name}/${key ?? randomUUID()}`;
  const queued = await Promise.all(
    order.map(async (node) => {
      const input = await node.agent.check(node.input as never);
      const start = { ...shared, priority: node.priority ?? shared.priority ?? 0, key: `${id}/${node.name}` };
      checkOptions(start);
      const made = await queuedOf(fleet, node.agent, input, start);
      return { node, queued: { ...made, waits: (node.after ?? []).length > 0 } };
    }),
  );
  const db = await fleet.host.db();
  const runs = await db.transaction(async (tx) => {
    await recordFlow(tx, { id, name, by: options.by });
    const ids = new Map<string, string>();
    for (const { node, queued: each } of queued) {
      const runId = await queueOnce(tx, each);
      ids.set(node.name, runId);
      if (runId !== each.runId) continue; // it is there already, with what it comes after
      for (const { name: needed, onFailure } of afterOf(node)) {
        const needs = { runId: ids.get(needed) ?? "", name: needed, onFailure };
        if (!(await dependOn(tx, runId, needs))) throw new HoldfastError("RUN_NOT_FOUND", { runId: needed });
      }
    }
    await recordFlowRuns(tx, id, ids);
    return ids;
  });
  fleet.notifier(db).tell("queued");
  const handles = Object.fromEntries([...runs].map(([node, runId]) => [node, new Handle(fleet, runId)]));
  return {
    id,
    runs: handles,
    async result() {
      const all = Object.entries(handles);
      const settled = await Promise.allSettled(all.map(([, handle]) => handle.result()));
      const failed = settled.find((each) => each.status === "rejected");
      if (failed) throw failed.reason;
      return Object.fromEntries(all.map(([node], i) => [node, (settled[i] as { value?: unknown }).value]));
    },
  };
}
