import type { Context, MiddlewareHandler } from "hono";
import { type Caller, callerOf, findKey, hashOfKey, type Key, SCOPES } from "./keys.ts";
import { refuse } from "./problem.ts";
import type { Env } from "./router.ts";

export interface Guard {
  /** Keys that were given with the options. */
  readonly keys: readonly Key[];
  /** Whoever asks from this machine may do everything. */
  readonly dev: boolean;
}

/** In development nobody needs a key: on this machine, and from no other page than the server's own. */
const DEVELOPER: Caller = { name: "dev", scopes: new Set(SCOPES) };

/** Lets in who shows a key, and says who that is. */
export const authenticate =
  ({ keys, dev }: Guard): MiddlewareHandler<Env> =>
  async (c, next) => {
    const bearer = /^Bearer ([\x21-\x7e]{1,512})$/i.exec(c.req.header("authorization") ?? "")?.[1];
    const key = bearer === undefined ? undefined : findKey(keys, hashOfKey(bearer));
    if (key) c.set("caller", callerOf(key));
    else if (dev && bearer === undefined && isLocal(c)) c.set("caller", DEVELOPER);
    else {
      c.header("www-authenticate", "Bearer");
      return refuse(c, "UNAUTHENTICATED");
    }
    return await next();
  };

const LOCAL = new Set(["localhost", "127.0.0.1", "[::1]"]);

/** A page elsewhere that has its name lead to this machine still says its own name as the host. */
const isLocal = (c: Context) => LOCAL.has(new URL(c.req.url).hostname) && isOwnPage(c);

/** Did no other site's page send this? Browsers say where a request that may change something comes from. */
export function isOwnPage(c: Context): boolean {
  const site = c.req.header("sec-fetch-site");
  if (site !== undefined && site !== "same-origin" && site !== "none") return false;
  const origin = c.req.header("origin");
  return origin === undefined || hostOf(origin) === c.req.header("host");
}

const hostOf = (origin: string) => (URL.canParse(origin) ? new URL(origin).host : undefined);
