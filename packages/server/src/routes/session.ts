import { randomBytes } from "node:crypto";
import type { TablesDatabase } from "@holdfast/core";
import { createRoute, z } from "@hono/zod-openapi";
import type { Context } from "hono";
import { deleteCookie, getCookie, setCookie } from "hono/cookie";
import { COOKIE, isOwnPage, isThisMachine } from "../auth.ts";
import type { KeyRing } from "../key-ring.ts";
import { hashOfKey, SCOPES } from "../keys.ts";
import { refuse } from "../problem.ts";
import { body, json, problems, router } from "../router.ts";
import { endSession, openSession } from "../store/sessions.ts";

/** A working day. */
const SECONDS = 12 * 3600;

const signIn = createRoute({
  method: "post",
  path: "/session",
  summary: "Sign in with a key: for browsers, which get a cookie that scripts cannot read",
  request: body(z.strictObject({ key: z.string().min(1).max(512) }).openapi("SignIn")),
  responses: { 204: { description: "Signed in for 12 hours" }, ...problems },
});

const who = createRoute({
  method: "get",
  path: "/session",
  summary: "Who asks, and what they may do",
  security: [{ key: [] }],
  responses: {
    200: json("The key", z.object({ name: z.string(), scopes: z.array(z.enum(SCOPES)) }).openapi("Session")),
    ...problems,
  },
});

const signOut = createRoute({
  method: "delete",
  path: "/session",
  summary: "Sign out",
  security: [{ key: [] }],
  responses: { 204: { description: "Signed out" }, ...problems },
});

/** Mounted before the guard: whoever signs in has nothing to show yet. */
export const signInRoute = (ring: KeyRing, tables: () => Promise<TablesDatabase>) =>
  router().openapi(signIn, async (c) => {
    if (!isOwnPage(c)) return refuse(c, "FORBIDDEN", "Sign in from a page of this server") as never;
    const key = await ring.byText(c.req.valid("json").key);
    if (!key) return refuse(c, "UNAUTHENTICATED", "No key is like that") as never;
    const cookie = randomBytes(32).toString("base64url");
    await openSession(await tables(), hashOfKey(cookie), key.name, SECONDS);
    setCookie(c, COOKIE, cookie, { ...attributes(c), maxAge: SECONDS });
    return c.body(null, 204);
  });

export const sessionRoutes = (tables: () => Promise<TablesDatabase>) =>
  router()
    .openapi(who, (c) => {
      const { name, scopes } = c.get("caller");
      return c.json({ name, scopes: [...scopes] }, 200);
    })
    .openapi(signOut, async (c) => {
      const cookie = getCookie(c, COOKIE);
      if (cookie !== undefined) await endSession(await tables(), hashOfKey(cookie));
      deleteCookie(c, COOKIE, attributes(c));
      return c.body(null, 204);
    });

/** Sent to this server only, by its own pages only, and over TLS unless it never leaves the machine. */
const attributes = (c: Context) =>
  ({ httpOnly: true, sameSite: "Strict", path: "/", secure: !isThisMachine(c) }) as const;
