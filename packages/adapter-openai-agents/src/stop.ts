import type { Port } from "@holdfast/core";

/**
 * Settles as `work` does, as long as the run goes on. Once it has stopped, an error is no outcome of anything: it stays
 * pending, because the SDK would tell the model of it, and the hooks of its users.
 */
export async function unlessStopped<T>(port: Port, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (port.signal.aborted) return await new Promise<never>(() => {});
    throw error;
  }
}
