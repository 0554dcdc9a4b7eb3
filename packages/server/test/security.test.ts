import { request } from "node:http";
import { openHoldfast } from "@holdfast/core";
import { expect, test } from "vitest";
import { createApi, createKey, keyFrom, newKey, revokeKey, serve, serverTables } from "../src/index.ts";
import { aDoubt, aRun, keyOf, keys, newId, pathOf, useServer } from "./served.ts";

const server = useServer({ redact: ["input.card", "**.ssn"], maxBodyBytes: 1024 });

test("nothing under /v1 answers without a key, or with one that is not known", async () => {
  for (const path of [
    "/v1/runs",
    "/v1/doubts",
    "/v1/workers",
    "/v1/openapi.json",
    "/v1/no-such-route",
    "/metrics",
  ]) {
    const { status, headers, body } = await server.get(path, null);
    expect([path, status, body.code]).toEqual([path, 401, "UNAUTHENTICATED"]);
    expect(headers.get("www-authenticate")).toBe("Bearer");
    const wrong = await server.ask("GET", path, {
      as: null,
      headers: { authorization: `Bearer ${newKey("x", ["read"]).text}` },
    });
    expect(wrong.status).toBe(401);
  }
});

test("every route asks for a scope, and refuses a key without it", async () => {
  const { paths } = (await server.get("/v1/openapi.json")).body;
  const holders = { read: "reader", operate: "operator", approve: "approver" } as const;
  let routes = 0;
  for (const [path, methods] of Object.entries<Record<string, { security?: { key: string[] }[] }>>(paths)) {
    if (path === "/v1/session") continue; // whoever has any key may ask who they are
    for (const [method, { security }] of Object.entries(methods)) {
      const [scope] = security?.[0]?.key ?? [];
      expect([method, path, Object.keys(holders).includes(scope ?? "")]).toEqual([method, path, true]);
      for (const [held, as] of Object.entries(holders)) {
        if (held === scope) continue;
        const url = path.replaceAll(/\{[^}]+\}/g, "x");
        const { status, body } = await server.ask(method.toUpperCase(), url, { as });
        expect([method, path, as, status, body.code]).toEqual([method, path, as, 403, "FORBIDDEN"]);
      }
      routes++;
    }
  }
  expect(routes).toBeGreaterThan(8);
});

test("what a key did stands in the ledger under its name", async () => {
  const { id, step } = await aDoubt(server.hf);
  await server.post(`${pathOf(id)}/resolve`, { step, happened: 1 }, "approver");
  expect((await server.hf.entries(id)).at(-1)).toMatchObject({ kind: "resolution", by: "approver" });
});

test("what the configured paths lead to is in no response", async () => {
  const id = newId();
  await server.hf.run(id, () => ({ ssn: "078-05-1120", ok: 1 }), {
    input: { card: "4242", deep: { ssn: "1" } },
  });
  const texts = [
    await server.get(pathOf(id)),
    await server.get(`${pathOf(id)}/entries`),
    await server.get(`${pathOf(id)}/tail`),
  ];
  for (const { body } of texts) {
    const text = JSON.stringify(body);
    expect(text).toContain("[redacted]");
    expect(text).not.toMatch(/4242|078-05-1120|"ssn":"1"/);
  }
});

test("a body that is too large is refused, whether it says its length or not", async () => {
  const body = JSON.stringify({ step: "s".repeat(2000), happened: 1 });
  expect((await server.post("/v1/runs/x/resolve", body)).status).toBe(413);
  const chunked = await new Promise<number | undefined>((resolve, reject) => {
    const sent = request(`${server.url}/v1/runs/x/resolve`, {
      method: "POST",
      headers: {
        authorization: `Bearer ${keyOf("ana")}`,
        "content-type": "application/json",
        "transfer-encoding": "chunked",
      },
    });
    sent.on("response", (response) => resolve(response.resume().statusCode)).on("error", reject);
    sent.end(body);
  });
  expect(chunked).toBe(413);
});

test("a key that writes too often is told to wait, and how long; another key is not", async () => {
  const slow = await serve(server.hf, { keys, port: 0, writesPerMinute: 3 });
  const write = (as: "operator" | "ana") =>
    fetch(`${slow.url}/v1/prune`, { method: "POST", headers: { authorization: `Bearer ${keyOf(as)}` } });
  const statuses = [];
  for (let i = 0; i < 4; i++) statuses.push((await write("operator")).status);
  expect(statuses).toEqual([400, 400, 400, 429]);
  const told = await write("operator");
  expect(Number(told.headers.get("retry-after"))).toBeGreaterThan(0);
  expect(await told.json()).toMatchObject({ code: "TOO_MANY_REQUESTS", status: 429 });
  expect((await write("ana")).status).toBe(400);
  expect(
    (await fetch(`${slow.url}/v1/runs`, { headers: { authorization: `Bearer ${keyOf("reader")}` } })).status,
  ).toBe(200);
  await slow.close();
});

test("answers load nothing, are framed nowhere, are not stored, and are read by no other origin", async () => {
  const { headers } = await server.ask("GET", "/v1/runs", {
    headers: { origin: "https://elsewhere.example" },
  });
  expect(headers.get("content-security-policy")).toContain("default-src 'none'");
  expect(headers.get("content-security-policy")).toContain("frame-ancestors 'none'");
  expect(headers.get("x-frame-options")).toBe("DENY");
  expect(headers.get("x-content-type-options")).toBe("nosniff");
  expect(headers.get("strict-transport-security")).toContain("max-age=");
  expect(headers.get("cache-control")).toBe("no-store");
  expect(headers.get("access-control-allow-origin")).toBeNull();
  const preflight = await server.ask("OPTIONS", "/v1/runs", {
    headers: { origin: "https://elsewhere.example" },
  });
  expect(preflight.headers.get("access-control-allow-origin")).toBeNull();
});

test("a server without keys does not start; with one in the database it does", async () => {
  await expect(serve(server.hf, { port: 0 })).rejects.toThrow("(INVALID_ARGUMENT)");
  const { key } = newKey("first", ["read"]);
  const tables = await serverTables(server.hf);
  await createKey(tables, key);
  await (await serve(server.hf, { port: 0 })).close();
  await revokeKey(tables, "first");
  await expect(serve(server.hf, { port: 0 })).rejects.toThrow("(INVALID_ARGUMENT)");
});

test("a key in the database lets in until it is revoked, and its name is never another key's", async () => {
  const tables = await serverTables(server.hf);
  const { key, text } = newKey("bob", ["read"]);
  await createKey(tables, key);
  const status = async () => {
    const api = createApi(server.hf); // another server: it knows nothing yet
    return (await api.request("/v1/runs", { headers: { authorization: `Bearer ${text}` } })).status;
  };
  expect(await status()).toBe(200);
  const rows = await tables.query<{ row: string }>("select k::text as row from holdfast.api_keys k");
  expect(JSON.stringify(rows.rows)).not.toContain(text);
  expect(await revokeKey(tables, "bob")).toBe(true);
  expect(await status()).toBe(401);
  expect(await revokeKey(tables, "bob")).toBe(false);
  await expect(createKey(tables, newKey("bob", ["read"]).key)).rejects.toThrow("another key");
});

test("an API without keys lets nobody in", async () => {
  expect((await createApi(server.hf).request("/v1/runs")).status).toBe(401);
});

test("a key that could be guessed is refused, and so are a name and a scope that are none", () => {
  expect(() => keyFrom("ana", ["read"], "password")).toThrow("too weak");
  expect(() => keyFrom("ana", ["read"], "a".repeat(64))).toThrow("too weak");
  expect(() => keyFrom("ana", [], newKey("x", ["read"]).text)).toThrow("scopes");
  expect(() => newKey("ana, or bob", ["read"])).toThrow("name");
});

test("in development whoever is on this machine needs no key, but no page of another site gets in", async () => {
  await expect(serve(server.hf, { dev: true, hostname: "0.0.0.0", port: 0 })).rejects.toThrow(
    "(INVALID_ARGUMENT)",
  );
  const api = createApi(server.hf, { dev: true });
  const status = async (url: string, headers: Record<string, string> = {}) =>
    (await api.request(url, { headers: { host: new URL(url).host, ...headers } })).status;
  expect(await status("http://localhost:7420/v1/runs")).toBe(200);
  expect(await status("http://localhost:7420/v1/runs", { origin: "http://localhost:7420" })).toBe(200);
  expect(await status("http://localhost:7420/v1/runs", { origin: "https://elsewhere.example" })).toBe(401);
  expect(await status("http://localhost:7420/v1/runs", { "sec-fetch-site": "cross-site" })).toBe(401);
  expect(await status("http://rebound.example:7420/v1/runs")).toBe(401);
  expect(await status("http://localhost:7420/v1/runs", { authorization: "Bearer of-no-key" })).toBe(401);
});

test("the log tells what was asked and by whose key, and no more", async () => {
  const lines: object[] = [];
  const log = { info: (fields: object) => lines.push(fields), error: (fields: object) => lines.push(fields) };
  const api = createApi(server.hf, { keys, log });
  const id = await aRun(server.hf, { input: { card: "4242" } });
  await api.request(`${pathOf(id)}/entries?after=0`, {
    headers: { authorization: `Bearer ${keyOf("reader")}` },
  });
  expect(lines).toMatchObject([{ method: "GET", status: 200, by: "reader" }]);
  expect(JSON.stringify(lines)).not.toMatch(/4242|hfk_|after=0/);
});

test("a fault of the server is told to its log, not to the caller", async () => {
  const faults: object[] = [];
  const closed = await openHoldfast({ database: server.database });
  await closed.close();
  const log = { info() {}, error: (fields: object) => void faults.push(fields) };
  const api = createApi(closed, { keys, log });
  const response = await api.request("/v1/runs", { headers: { authorization: `Bearer ${keyOf("reader")}` } });
  expect(response.status).toBe(503);
  expect(await response.json()).toMatchObject({ code: "DATABASE_UNAVAILABLE" });
  expect(faults).toMatchObject([{ code: "DATABASE_UNAVAILABLE" }]);
});
