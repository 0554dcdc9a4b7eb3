import { HoldfastError } from "@holdfast/core";
import type { RunnableConfig } from "@langchain/core/runnables";

/** Where in a thread a config points. */
export interface Point {
  readonly threadId: string | undefined;
  readonly ns: string | undefined;
  readonly id: string | undefined;
}

/** What a config says of where it points. People give numbers as ids, too. */
export function pointIn({ configurable = {} }: RunnableConfig): Point {
  const text = (value: unknown) =>
    typeof value === "string" ? value : typeof value === "number" ? String(value) : undefined;
  return {
    threadId: text(configurable.thread_id),
    ns: text(configurable.checkpoint_ns),
    id: text(configurable.checkpoint_id) || undefined,
  };
}

/** The same where a thread must be named. */
export function threadIn(config: RunnableConfig, method: string): Point & { readonly threadId: string } {
  const { threadId, ...point } = pointIn(config);
  if (threadId === undefined) throw lacking(method, "thread_id");
  return { threadId, ...point };
}

export const lacking = (method: string, what: string): HoldfastError =>
  new HoldfastError("INVALID_ARGUMENT", {
    argument: `config.configurable.${what}`,
    why: `is missing in ${method}: a checkpointer needs to know what it is about`,
  });
