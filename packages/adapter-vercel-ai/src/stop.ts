import type { Hold } from "./hold.ts";

/** Settles as `work` does. Where the call streams and the run stops first, it rejects as if aborted. */
export async function unlessStopped<T>({ port, streams }: Hold, work: Promise<T>): Promise<T> {
  if (!streams) return work;
  const stopped = Promise.withResolvers<never>();
  const stop = () => stopped.reject(new DOMException("The run has stopped.", "AbortError"));
  port.signal.addEventListener("abort", stop, { once: true });
  if (port.signal.aborted) stop();
  try {
    return await Promise.race([work, stopped.promise]);
  } finally {
    port.signal.removeEventListener("abort", stop);
  }
}
