import { OpenAPIHono, z } from "@hono/zod-openapi";
import type { Context, MiddlewareHandler } from "hono";
import type { Caller, Scope } from "./keys.ts";
import { Problem, refuse, refuseForm } from "./problem.ts";

/** What a request carries once it is known who asks. */
export interface Env {
  Variables: { caller: Caller; requestId: string };
}

/** Routes that refuse what is not of their form with a problem, never with a 500. */
export const router = () =>
  new OpenAPIHono<Env>({
    defaultHook: (result, c) =>
      result.success ? undefined : refuseForm(c, result.target, { issues: result.error.issues }),
  });

/** What a route asks of the caller's key, as OpenAPI tells it and as the server holds to it. */
export const needs = <S extends Scope>(scope: S) => ({
  security: [{ key: [scope as string] }],
  middleware: [only(scope)],
});

/** Lets through callers whose key has the scope. */
export const only =
  (scope: Scope): MiddlewareHandler<Env> =>
  async (c, next) => {
    const { name, scopes } = c.get("caller");
    if (scopes.has(scope)) return await next();
    return refuse(c, "FORBIDDEN", `The key ${name} lacks the scope ${scope}`);
  };

/** Who asks: what is written to a ledger says so. */
export const by = (c: Context<Env>): { by: string } => ({ by: c.get("caller").name });

export const json = <T extends z.ZodType>(description: string, schema: T) => ({
  description,
  content: { "application/json": { schema } },
});

export const body = <T extends z.ZodType>(schema: T) => ({
  body: { required: true as const, content: { "application/json": { schema } } },
});

/** The problems that any route may answer with; each says its code. */
export const problems = {
  "4XX": {
    description: "The request, the key or the run's state does not allow it",
    content: { "application/problem+json": { schema: Problem } },
  },
} as const;

const isText = (text: string) => !text.includes("\0") && text.isWellFormed();

/** Text that Postgres can hold. */
export const text = (most: number) =>
  z.string().min(1).max(most).refine(isText, "must be well-formed text without NUL");

/** As hf.run takes it. */
export const runId = text(512);

/** The run that a path names, percent-encoded. */
export const ofRun = z.strictObject({
  id: runId.openapi({ param: { name: "id", in: "path" }, example: "order-42" }),
});

/** Where the page before ended, of a list that is told by numbers. */
export const place = z
  .string()
  .regex(/^\d{1,18}$/, "is none that a page ended with")
  .optional()
  .openapi({ description: "Where the page before ended" });

/** A number in a query, which is text. */
export const count = (least: number, most: number) =>
  z
    .string()
    .regex(/^\d{1,10}$/, "must be a whole number")
    .transform(Number)
    .pipe(z.int().min(least).max(most));
