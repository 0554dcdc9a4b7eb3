import { Hono } from "hono";
import { expect, test } from "vitest";
import { createApi, createKey, newKey, revokeKey, serverTables } from "../src/index.ts";
import { keyOf, keys, useServer } from "./served.ts";

const server = useServer();

const ownPage = { "sec-fetch-site": "same-origin" };

/** Signs in as a browser does. Gives back the cookie, as it is sent and as it was set. */
async function signIn(key = keyOf("ana"), headers: Record<string, string> = ownPage) {
  const answer = await server.ask("POST", "/v1/session", { as: null, body: { key }, headers });
  const set = answer.headers.get("set-cookie") ?? "";
  return { status: answer.status, set, cookie: set.split(";")[0] ?? "" };
}

test("a browser signs in with a key, and asks with a cookie that scripts cannot read", async () => {
  const { status, set, cookie } = await signIn();
  expect(status).toBe(204);
  expect(set).toMatch(/HttpOnly/);
  expect(set).toMatch(/SameSite=Strict/);
  expect(set).not.toContain(keyOf("ana"));
  const who = await server.ask("GET", "/v1/session", { as: null, headers: { cookie } });
  expect(who.body).toEqual({ name: "ana", scopes: ["read", "operate", "approve"] });
});

test("whoever signs in at an API that is mounted below a path needs no key yet, and nothing else is let in by that", async () => {
  const app = new Hono().route("/holdfast", createApi(server.hf, { keys }));
  const at = (path: string, init: RequestInit = {}) => app.request(`http://localhost/holdfast${path}`, init);
  const signedIn = await at("/v1/session", {
    method: "POST",
    headers: { ...ownPage, "content-type": "application/json" },
    body: JSON.stringify({ key: keyOf("ana") }),
  });
  expect(signedIn.status).toBe(204);
  const cookie = signedIn.headers.get("set-cookie")?.split(";")[0] ?? "";
  expect((await at("/v1/session", { headers: { cookie } })).status).toBe(200);
  for (const [method, path] of [
    ["GET", "/v1/session"],
    ["DELETE", "/v1/session"],
    ["POST", "/v1/session/"],
    ["POST", "/v1/prune"],
  ] as const)
    expect([method, path, (await at(path, { method })).status]).toEqual([method, path, 401]);
});

test("the cookie goes over TLS only, unless it stays on this machine", async () => {
  const signInAt = async (url: string) => {
    const headers = { ...ownPage, "content-type": "application/json" };
    const body = JSON.stringify({ key: keyOf("ana") });
    return (await createApi(server.hf, { keys }).request(url, { method: "POST", headers, body })).headers.get(
      "set-cookie",
    );
  };
  expect(await signInAt("http://localhost:7420/v1/session")).not.toContain("Secure");
  expect(await signInAt("http://ledger.example/v1/session")).toContain("Secure");
});

test("a cookie changes nothing for a page of another site, nor where nobody says what page it was", async () => {
  const { cookie } = await signIn();
  const prune = async (headers: Record<string, string>) =>
    (
      await server.ask("POST", "/v1/prune", {
        as: null,
        body: { olderThan: "900d" },
        headers: { cookie, ...headers },
      })
    ).status;
  expect(await prune({ "sec-fetch-site": "cross-site" })).toBe(401);
  expect(await prune({ "sec-fetch-site": "same-site" })).toBe(401);
  expect(await prune({ origin: "https://elsewhere.example" })).toBe(401);
  expect(await prune({})).toBe(401);
  expect(await prune({ origin: server.url })).toBe(200);
  expect(await prune(ownPage)).toBe(200);
});

test("no page of another site signs anybody in", async () => {
  expect((await signIn(keyOf("ana"), { "sec-fetch-site": "cross-site" })).status).toBe(403);
  expect((await signIn(newKey("x", ["read"]).text)).status).toBe(401);
});

test("whoever signs out is out", async () => {
  const { cookie } = await signIn();
  expect(
    (await server.ask("DELETE", "/v1/session", { as: null, headers: { cookie, ...ownPage } })).status,
  ).toBe(204);
  expect((await server.ask("GET", "/v1/runs", { as: null, headers: { cookie } })).status).toBe(401);
});

test("a session ends with its time, and with its key", async () => {
  const tables = await serverTables(server.hf);
  const { key, text } = newKey("carol", ["read"]);
  await createKey(tables, key);
  const api = () => createApi(server.hf); // another server: it knows nothing yet
  const headers = { ...ownPage, "content-type": "application/json" };
  const signedIn = await api().request("http://localhost/v1/session", {
    method: "POST",
    headers,
    body: JSON.stringify({ key: text }),
  });
  const cookie = signedIn.headers.get("set-cookie")?.split(";")[0] ?? "";
  const status = async () =>
    (await api().request("http://localhost/v1/runs", { headers: { cookie } })).status;
  expect(await status()).toBe(200);
  await tables.query(
    "update holdfast.api_sessions set until = until - interval '13 hours' where key = 'carol'",
  );
  expect(await status()).toBe(401);
  await tables.query(
    "update holdfast.api_sessions set until = until + interval '13 hours' where key = 'carol'",
  );
  expect(await status()).toBe(200);
  await revokeKey(tables, "carol");
  expect(await status()).toBe(401);
});

test("whoever tries keys from one address is told to wait", async () => {
  const statuses = [];
  for (let i = 0; i < 12; i++) statuses.push((await signIn("no key")).status);
  expect(statuses.at(-1)).toBe(429);
});
