import { readFileSync } from "node:fs";
import { type Holdfast, openHoldfast, step } from "@holdfast/core";
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createApi, serverTables } from "../src/index.ts";
import { keyOf, keys, useServer } from "./served.ts";

const server = useServer();
const suffix = Math.random().toString(36).slice(2, 8);
const roles = ["worker", "api", "reader"].map((name) => `holdfast_${name}_${suffix}`);
let owner: pg.Client;
const opened: Holdfast[] = [];

/** The block of SQL that docs/guides/production.md has for roles, with roles of this test's own. */
function grants(): string {
  const page = readFileSync(new URL("../../../docs/guides/production.md", import.meta.url), "utf8");
  const [, sql = ""] = /```sql\n([\s\S]*?)```/.exec(page) ?? [];
  return sql.replaceAll(/holdfast_(worker|api|reader)\b/g, `holdfast_$1_${suffix}`);
}

beforeAll(async () => {
  await serverTables(server.hf);
  owner = new pg.Client({ connectionString: server.database });
  await owner.connect();
  await owner.query(grants());
  for (const role of roles) await owner.query(`alter role ${role} login password 'of-this-test'`);
});
afterAll(async () => {
  await Promise.all(opened.map((hf) => hf.close({ graceSeconds: 0 })));
  for (const role of roles)
    await owner?.query(`grant ${role} to current_user; drop owned by ${role}; drop role ${role}`);
  await owner?.end();
});

const urlAs = (name: "worker" | "api" | "reader") => {
  const url = new URL(server.database);
  url.username = `holdfast_${name}_${suffix}`;
  url.password = "of-this-test";
  return url.href;
};

async function openAs(name: "worker" | "api" | "reader"): Promise<Holdfast> {
  const hf = await openHoldfast({ database: urlAs(name), migrate: false });
  opened.push(hf);
  return hf;
}

test("with the roles of the guide, workers work and the API steers", async () => {
  const workers = await openAs("worker");
  workers.agent("greeter", (name: string) => step("greet", () => `hello ${name}`, { effect: "idempotent" }));
  const worker = workers.worker();
  await worker.start();
  const api = createApi(await openAs("api"), { keys });
  const ask = (path: string, method = "GET", body?: unknown) =>
    api.request(path, {
      method,
      headers: { authorization: `Bearer ${keyOf("ana")}`, "content-type": "application/json" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  const started = await ask("/v1/runs", "POST", { agent: "greeter", input: "ana" });
  expect(started.status).toBe(201);
  const { id } = (await started.json()) as { id: string };
  expect(await (await ask(`/v1/runs/${id}/tail`)).text()).toContain("hello ana");
  for (const path of [
    "/v1/runs",
    "/v1/tail",
    "/v1/agents",
    "/v1/workers",
    "/metrics",
    "/v1/doubts",
    "/v1/questions",
  ])
    expect([path, (await ask(path)).status]).toEqual([path, 200]);
  expect((await ask("/v1/session", "POST", { key: "none" })).status).toBe(403);
  await worker.stop();
});

test("no role but the owner's changes or removes an entry, and not even the owner changes one", async () => {
  for (const name of ["worker", "api", "reader"] as const) {
    const client = new pg.Client({ connectionString: urlAs(name) });
    await client.connect();
    for (const sql of [
      "update holdfast.entries set body = '{}'",
      "delete from holdfast.entries",
      "truncate holdfast.entries",
      "delete from holdfast.audit",
      "update holdfast.blobs set value = ''",
      "alter table holdfast.entries disable trigger all",
      "delete from holdfast.migrations",
      "insert into holdfast.api_keys (name, hash, scopes) values ('x', 'x', '{read}')",
    ])
      await expect(client.query(sql)).rejects.toMatchObject({ code: "42501" });
    await client.end();
  }
  await expect(owner.query("update holdfast.entries set body = '{}'")).rejects.toMatchObject({
    code: "HF001",
  });
});

test("who may only read cannot write, nor see keys", async () => {
  const client = new pg.Client({ connectionString: urlAs("reader") });
  await client.connect();
  await client.query("select * from holdfast.runs limit 1");
  for (const sql of [
    "delete from holdfast.workers",
    "select * from holdfast.api_keys",
    "update holdfast.runs set tags = '{}'",
  ])
    await expect(client.query(sql)).rejects.toMatchObject({ code: "42501" });
  await client.end();
});
