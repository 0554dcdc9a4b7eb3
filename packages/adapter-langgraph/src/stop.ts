import type { Port } from "@holdfast/core";

/**
 * What ends a graph whose run has stopped. LangGraph knows it by its name and mark as an interrupt: it writes no error for
 * it, retries nothing, and no ToolNode shows it to a model.
 */
export class StoppedRun extends Error {
  override readonly name = "GraphInterrupt";
  readonly is_bubble_up = true;
  readonly interrupts: readonly unknown[];

  constructor(interrupts: readonly unknown[] = []) {
    super("The run has stopped.");
    this.interrupts = interrupts;
  }
}

/** Does LangGraph throw this to steer the graph, and not because something failed? */
export const isControlFlow = (error: unknown): boolean =>
  (error as { is_bubble_up?: unknown } | null | undefined)?.is_bubble_up === true;

/** Settles as `work` does while the run goes on, and never once it has stopped: the user's own code is not to go on. */
export async function unlessStopped<T>({ signal }: Port, work: PromiseLike<T>): Promise<T> {
  let settled: { value: T } | { error: unknown };
  try {
    settled = { value: await work };
  } catch (error) {
    settled = { error };
  }
  if (signal.aborted) return await new Promise<never>(() => {});
  if ("error" in settled) throw settled.error;
  return settled.value;
}

/** Settles as `work` does while the run goes on. Once it has stopped, LangGraph is told so. */
export async function orStopped<T>({ signal }: Port, work: PromiseLike<T>): Promise<T> {
  const stopped = Promise.withResolvers<never>();
  const stop = () => stopped.reject(new StoppedRun());
  signal.addEventListener("abort", stop, { once: true });
  if (signal.aborted) stop();
  try {
    return await Promise.race([work, stopped.promise]);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}
