/** What an error was about. Only some are worth another try. */
export type ErrorClass =
  | "model"
  | "tool"
  | "policy"
  | "budget"
  | "infra"
  | "cancelled"
  | "timeout"
  | "diverged";

/** How often, and how far apart, a call is tried that may be repeated. */
export interface Retry {
  /** All tries together, the first one included. */
  readonly attempts: number;
  /** The longest wait after the first failure, in milliseconds. Default 200. */
  readonly firstMs?: number;
  /** The longest wait of all, in milliseconds. Default 30,000. */
  readonly longestMs?: number;
  /** After what errors. Default: `model`, `tool`, `infra` and `timeout`. */
  readonly on?: readonly ErrorClass[];
}

/** What failed, as far as a next try depends on it. */
export interface Failure {
  readonly class: ErrorClass;
  /** It asked to be left alone for so long, in milliseconds. */
  readonly afterMs?: number | undefined;
}

const CLASSES: readonly ErrorClass[] = [
  "model",
  "tool",
  "policy",
  "budget",
  "infra",
  "cancelled",
  "timeout",
  "diverged",
];
const WORTH_A_TRY: readonly ErrorClass[] = ["model", "tool", "infra", "timeout"];

export const MOST_ATTEMPTS = 100;
/** A longer wait overflows Node's timers, which then fire at once. */
const LONGEST_WAIT_MS = 2 ** 31 - 1;
const LONGEST_AFTER_MS = 24 * 60 * 60 * 1000;

/** Why this is no Retry, as the end of a sentence that begins "has a retry"; undefined where it is one. */
export function whyNoRetry(retry: Retry): string | undefined {
  if (typeof retry !== "object" || retry === null) return "that is no object";
  const { attempts, firstMs = 0, longestMs = 0, on = [], ...more } = retry;
  const [unknown] = Object.keys(more);
  if (unknown !== undefined) return `with a field ${unknown}, which there is not`;
  if (!Number.isInteger(attempts) || attempts < 1 || attempts > MOST_ATTEMPTS) {
    return `whose attempts are not from 1 to ${MOST_ATTEMPTS}`;
  }
  if (!Array.isArray(on) || on.some((each) => !CLASSES.includes(each))) {
    return `after errors that are none of ${CLASSES.join(", ")}`;
  }
  const isWait = (ms: number) => typeof ms === "number" && ms >= 0 && ms <= LONGEST_WAIT_MS;
  return isWait(firstMs) && isWait(longestMs) ? undefined : "whose waits are no milliseconds";
}

/**
 * How long to wait after `failures` failed tries, in milliseconds; undefined: no more. Exponential with full jitter:
 * `random × min(longestMs, firstMs × 2^(failures − 1))`, so that callers which failed together do not come back together.
 * https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
 * Whoever asked to be left alone is left alone for so long, and for at most a day.
 */
export function waitMs(
  retry: Retry | undefined,
  failures: number,
  random: number,
  failure: Failure = { class: "tool" },
): number | undefined {
  if (!retry || failures >= retry.attempts) return undefined;
  const { firstMs = 200, longestMs = 30_000, on = WORTH_A_TRY } = retry;
  if (!on.includes(failure.class)) return undefined;
  const wait = random * Math.min(longestMs, firstMs * 2 ** (failures - 1));
  return Math.max(wait, Math.min(failure.afterMs ?? 0, LONGEST_AFTER_MS));
}
