/** How often, and how far apart, a call is tried that may be repeated. */
export interface Retry {
  /** All tries together, the first one included. */
  readonly attempts: number;
  /** The longest wait after the first failure, in milliseconds. Default 200. */
  readonly firstMs?: number;
  /** The longest wait of all, in milliseconds. Default 30,000. */
  readonly longestMs?: number;
}

export const MOST_ATTEMPTS = 100;

/**
 * How long to wait after `failures` failed tries, in milliseconds; undefined: no more. Exponential with full jitter:
 * `random × min(longestMs, firstMs × 2^(failures − 1))`, so that callers which failed together do not come back together.
 * https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
 */
export function waitMs(retry: Retry | undefined, failures: number, random: number): number | undefined {
  if (!retry || failures >= retry.attempts) return undefined;
  const { firstMs = 200, longestMs = 30_000 } = retry;
  return random * Math.min(longestMs, firstMs * 2 ** (failures - 1));
}
