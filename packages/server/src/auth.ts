import type { Context, MiddlewareHandler } from "hono";
import { getCookie } from "hono/cookie";
import type { KeyRing } from "./key-ring.ts";
import { type Caller, callerOf, SCOPES } from "./keys.ts";
import { refuse } from "./problem.ts";
import type { Env } from "./router.ts";

/** What the browser of somebody who has signed in sends. */
export const COOKIE = "holdfast_session";

/** In development nobody needs a key: on this machine, and from no other page than the server's own. */
const DEVELOPER: Caller = { name: "dev", scopes: new Set(SCOPES) };

/** Lets in who shows a key, or has signed in with one, and says who that is. */
export const authenticate =
  (ring: KeyRing, dev: boolean): MiddlewareHandler<Env> =>
  async (c, next) => {
    const caller = await callerIn(c, ring, dev);
    if (caller) {
      c.set("caller", caller);
      return await next();
    }
    c.header("www-authenticate", "Bearer");
    return refuse(c, "UNAUTHENTICATED");
  };

/** A header counts alone: where it names no key, neither a cookie nor development does. */
async function callerIn(c: Context, ring: KeyRing, dev: boolean): Promise<Caller | undefined> {
  const header = c.req.header("authorization");
  if (header !== undefined) {
    const text = /^Bearer ([\x21-\x7e]{1,512})$/i.exec(header)?.[1];
    const key = text === undefined ? undefined : await ring.byText(text);
    return key && callerOf(key);
  }
  const cookie = getCookie(c, COOKIE);
  if (cookie !== undefined && (isSafe(c) || isOwnPage(c))) {
    const key = await ring.bySession(cookie);
    if (key) return callerOf(key);
  }
  return dev && isThisMachine(c) && mayBeOwnPage(c) ? DEVELOPER : undefined;
}

const isSafe = (c: Context) => c.req.method === "GET" || c.req.method === "HEAD";

const LOCAL = new Set(["localhost", "127.0.0.1", "[::1]"]);

/** A page elsewhere that has its name lead to this machine still says its own name as the host. */
export const isThisMachine = (c: Context): boolean => LOCAL.has(new URL(c.req.url).hostname);

/** Does the browser say that a page of this server sent it? Who is no browser has no cookie. */
export function isOwnPage(c: Context): boolean {
  const site = c.req.header("sec-fetch-site");
  return site === undefined
    ? hostOf(c.req.header("origin")) === c.req.header("host")
    : site === "same-origin";
}

/** The same, for requests that need not come from a browser. */
function mayBeOwnPage(c: Context): boolean {
  const site = c.req.header("sec-fetch-site");
  if (site !== undefined) return site === "same-origin" || site === "none";
  const origin = c.req.header("origin");
  return origin === undefined || hostOf(origin) === c.req.header("host");
}

const hostOf = (origin = "") => (URL.canParse(origin) ? new URL(origin).host : null);
