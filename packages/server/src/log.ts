import type { MiddlewareHandler } from "hono";
import type { Env } from "./router.ts";

/** What the server needs of a pino logger. */
export interface Log {
  info(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export const silent: Log = { info() {}, error() {} };

/** One line a request: what was asked, by whose key, and how it ended. No headers, no bodies, no query. */
export const logged =
  (log: Log): MiddlewareHandler<Env> =>
  async (c, next) => {
    const before = performance.now();
    await next();
    const { method, path } = c.req;
    const fields = { requestId: c.get("requestId"), method, path, status: c.res.status };
    log.info({ ...fields, ms: Math.round(performance.now() - before), by: c.get("caller")?.name }, "request");
  };
