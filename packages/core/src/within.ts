/**
 * Settles as `work` does, or rejects with what `late` gives once so many milliseconds are over. Never late where the
 * signal aborts: whoever stops meanwhile has not been kept waiting too long.
 */
export async function within<T>(
  ms: number,
  signal: AbortSignal,
  work: () => T | PromiseLike<T>,
  late: () => unknown,
): Promise<T> {
  const over = Promise.withResolvers<never>();
  const timer = setTimeout(() => over.reject(late()), ms);
  const abort = () => clearTimeout(timer);
  signal.addEventListener("abort", abort, { once: true });
  try {
    return await Promise.race([(async () => await work())(), over.promise]);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", abort);
  }
}
