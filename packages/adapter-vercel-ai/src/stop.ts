import type { Hold } from "./hold.ts";

/**
 * Settles as `work` does, as long as the run goes on. Once it has stopped, nobody may take what comes for an outcome: a
 * call that streams ends as if aborted, so that the client's stream is closed; any other stays pending, because its
 * callbacks would be told of a step that failed.
 */
export async function unlessStopped<T>({ port, streams }: Hold, work: Promise<T>): Promise<T> {
  const stopped = Promise.withResolvers<never>();
  const stop = () => stopped.reject(new DOMException("The run has stopped.", "AbortError"));
  if (streams) port.signal.addEventListener("abort", stop, { once: true });
  if (streams && port.signal.aborted) stop();
  try {
    return await Promise.race([work, stopped.promise]);
  } catch (error) {
    if (port.signal.aborted && !streams) return await stopped.promise;
    throw error;
  } finally {
    port.signal.removeEventListener("abort", stop);
  }
}
