import { HoldfastError } from "./errors.ts";
import type { ErrorClass, Failure } from "./retry.ts";

const origins = new WeakMap<object, "model" | "tool">();

/** A call has thrown this: whatever a framework wraps it in, its class can be told. */
export function noteOrigin(error: unknown, origin: "model" | "tool"): void {
  if (typeof error === "object" && error !== null && !origins.has(error)) origins.set(error, origin);
}

/** What an error of a run's work was about. What says nothing of itself came of the agent's own code: `tool`. */
export function classOf(error: unknown): ErrorClass {
  for (const each of causesOf(error)) {
    const known = ownClass(each);
    if (known) return known;
  }
  return (
    causesOf(error)
      .map((each) => origins.get(each))
      .find((origin) => origin !== undefined) ?? "tool"
  );
}

export const failureOf = (error: unknown): Failure => ({
  class: classOf(error),
  afterMs: retryAfterMs(error),
});

/**
 * How long whoever threw this asks to be left alone, in milliseconds: a `Retry-After` header (seconds or a date) or
 * `retry-after-ms`, where the AI SDK, the OpenAI SDK and fetch put it. https://www.rfc-editor.org/rfc/rfc9110#field.retry-after
 */
export function retryAfterMs(error: unknown, now = Date.now()): number | undefined {
  for (const each of causesOf(error)) {
    const { responseHeaders, headers, response } = each as Record<string, unknown>;
    const inResponse = (response as { headers?: unknown } | undefined)?.headers;
    for (const source of [responseHeaders, headers, inResponse]) {
      const ms = Number(header(source, "retry-after-ms") ?? Number.NaN);
      if (Number.isFinite(ms) && ms >= 0) return ms;
      const after = header(source, "retry-after");
      if (after === undefined) continue;
      const until = /^\d+$/.test(after.trim()) ? Number(after) * 1000 : Date.parse(after) - now;
      if (Number.isFinite(until)) return Math.max(0, until);
    }
  }
  return undefined;
}

const BY_CODE: Readonly<Record<string, ErrorClass>> = {
  POLICY_DENIED: "policy",
  BUDGET_EXHAUSTED: "budget",
  TIMED_OUT: "timeout",
  CANCELLED: "cancelled",
  DATABASE_UNAVAILABLE: "infra",
  FENCED: "infra",
  RUN_LEASED: "infra",
};

const NETWORK = /^(ECONN|EPIPE|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|EAI_AGAIN|ENOTFOUND|UND_ERR_)/;
/** https://www.rfc-editor.org/rfc/rfc9110#status.4xx: what a client did wrong, but for those that say "later". */
const LATER = new Set([408, 409, 425, 429]);

function ownClass(error: object): ErrorClass | undefined {
  // What Holdfast refuses for what it is asked, it refuses the next time too.
  if (HoldfastError.is(error)) return BY_CODE[error.code] ?? "diverged";
  const { name, code, isRetryable, statusCode, status } = error as Record<string, unknown>;
  if (name === "TimeoutError") return "timeout";
  if (name === "AbortError") return "cancelled";
  if (typeof code === "string" && NETWORK.test(code)) return "infra";
  const http = typeof statusCode === "number" ? statusCode : status;
  if (isRetryable === false && origins.has(error)) return "diverged";
  if (typeof http === "number" && http >= 400 && http < 500 && !LATER.has(http)) return "diverged";
  return undefined;
}

/** The error and what caused it, outermost first: `cause`, and what the AI SDK's RetryError was about at last. */
function causesOf(error: unknown): object[] {
  const causes: object[] = [];
  for (let each: unknown = error; typeof each === "object" && each !== null && !causes.includes(each); ) {
    causes.push(each);
    const { cause, lastError } = each as { cause?: unknown; lastError?: unknown };
    each = cause ?? lastError;
  }
  return causes;
}

function header(source: unknown, name: string): string | undefined {
  if (source instanceof Headers) return source.get(name) ?? undefined;
  if (typeof source !== "object" || source === null) return undefined;
  const found = Object.entries(source).find(([key]) => key.toLowerCase() === name)?.[1];
  return typeof found === "string" ? found : undefined;
}
