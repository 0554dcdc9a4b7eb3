import { type ErrorCode, HoldfastError } from "@holdfast/core";
import { z } from "@hono/zod-openapi";
import type { Context } from "hono";

/** What each error of Holdfast is over HTTP. */
export const statusOf = {
  RUN_NOT_FOUND: 404,
  RUN_EXISTS_DIFFERENT: 409,
  RUN_LEASED: 409,
  RUN_WAITING: 409,
  RUN_UNFINISHED: 409,
  RUN_NESTED: 409,
  FENCED: 409,
  DIVERGED: 409,
  DRIFTED: 409,
  POLICY_DENIED: 403,
  BUDGET_EXHAUSTED: 409,
  QUESTION_ANSWERED: 409,
  QUESTION_EXPIRED: 409,
  COMMAND_NOT_ALLOWED: 409,
  QUEUE_FULL: 503,
  CANCELLED: 409,
  TIMED_OUT: 504,
  TOO_MANY_STEPS: 409,
  RUN_DEAD: 409,
  NOT_SERIALIZABLE: 400,
  OUTPUT_TOO_LARGE: 413,
  UNHELD_CALL: 409,
  INVALID_ARGUMENT: 400,
  LEDGER_CORRUPT: 500,
  SCHEMA_TOO_OLD: 503,
  SCHEMA_TOO_NEW: 503,
  DATABASE_UNAVAILABLE: 503,
  NO_EMBEDDED_SERVER: 503,
} as const satisfies Record<ErrorCode, number>;

/** What is wrong with a request before Holdfast is asked. */
const refusals = {
  UNAUTHENTICATED: [401, "Send a key: Authorization: Bearer hfk_…"],
  FORBIDDEN: [403, "This key may not do that"],
  NO_SUCH_ROUTE: [404, "There is no such route; /v1/openapi.json lists those there are"],
  BAD_REQUEST: [400, "The request cannot be read"],
  BODY_TOO_LARGE: [413, "The body is too large"],
  TOO_MANY_REQUESTS: [429, "Too many requests with this key; wait as long as Retry-After says"],
  INTERNAL: [500, "Something went wrong that the server's log tells of"],
} as const satisfies Record<string, readonly [number, string]>;

export type Refusal = keyof typeof refusals;

export const Problem = z
  .object({
    type: z.string().openapi({ description: "urn:holdfast:error: and the code" }),
    title: z.string(),
    status: z.int(),
    code: z.string().openapi({ description: "A code of docs/reference/errors.md, or one of HTTP's own" }),
    detail: z.string().openapi({ description: "What happened, to which run and step, and what to do" }),
    details: z.record(z.string(), z.unknown()).optional(),
    errors: z.array(z.object({ path: z.string(), message: z.string() })).optional(),
  })
  .openapi("Problem", { description: "application/problem+json, RFC 9457" });

type Said = Omit<z.infer<typeof Problem>, "type" | "title" | "status" | "code">;

function problem(c: Context, status: number, code: string, said: Said): Response {
  const title = code.toLowerCase().replaceAll("_", " ");
  const body = { type: `urn:holdfast:error:${code}`, title, status, code, ...said };
  return c.body(JSON.stringify(body), status as 400, { "content-type": "application/problem+json" });
}

/** Refuses a request that never reached Holdfast. */
export function refuse(c: Context, why: Refusal, detail?: string): Response {
  const [status, usual] = refusals[why];
  return problem(c, status, why, { detail: detail ?? usual });
}

/** Refuses a request that is not of the form its route takes. */
export function refuseForm(c: Context, where: string, { issues }: Pick<z.ZodError, "issues">): Response {
  const errors = issues.map(({ path, message }) => ({ path: [where, ...path].join("."), message }));
  const detail = errors.map(({ path, message }) => `${path}: ${message}`).join("; ");
  return problem(c, 400, "INVALID_ARGUMENT", { detail, errors });
}

/** What the caller is told of an error, or nothing where it is none that a caller should hear of. */
export function problemOf(c: Context, error: unknown): Response | undefined {
  if (!HoldfastError.is(error)) return undefined;
  const { code, message, details } = error;
  return problem(c, statusOf[code], code, { detail: message, details: { ...details } });
}

/** Why something was refused, where it was: of several things that are asked at once, one does not stop the others. */
export async function refusalOf(
  asked: Promise<unknown>,
): Promise<{ code: string; detail: string } | undefined> {
  try {
    await asked;
    return undefined;
  } catch (error) {
    if (HoldfastError.is(error) && statusOf[error.code] < 500)
      return { code: error.code, detail: error.message };
    throw error;
  }
}
