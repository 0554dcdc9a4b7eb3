import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { createApi } from "../src/index.ts";
import { keys, useServer } from "./served.ts";

const server = useServer();
const folder = await mkdtemp(join(tmpdir(), "holdfast-dashboard-"));
await mkdir(join(folder, "assets"));
await writeFile(join(folder, "index.html"), "<title>Holdfast</title>");
await writeFile(join(folder, "assets/app.js"), "start()");
await writeFile(join(folder, "..", "holdfast-beside.txt"), "beside");
afterAll(() => rm(folder, { recursive: true }));

const get = (path: string, accept = "text/html") =>
  createApi(server.hf, { keys, dashboard: folder }).request(path, { headers: { accept } });

test("the dashboard is served at /, its files by their names, and its page at every path that is a page's", async () => {
  expect(await (await get("/")).text()).toContain("Holdfast");
  expect(await (await get("/runs/order-42?tab=raw")).text()).toContain("Holdfast");
  const script = await get("/assets/app.js", "*/*");
  expect([await script.text(), script.headers.get("content-type")]).toEqual([
    "start()",
    expect.stringContaining("javascript"),
  ]);
  expect((await get("/")).headers.get("content-security-policy")).toContain("script-src 'self'");
});

test("what is no page and no file is not found, and nothing outside the folder is served", async () => {
  expect((await get("/assets/none.js", "*/*")).status).toBe(404);
  expect((await get("/..%2fholdfast-beside.txt", "*/*")).status).toBe(404);
  expect((await get("/%2e%2e/holdfast-beside.txt", "*/*")).status).toBe(404);
});

test("the API's own paths are never pages", async () => {
  expect((await get("/v1/nothing")).status).toBe(401);
  expect((await get("/healthz")).status).toBe(200);
  expect((await get("/metrics")).status).toBe(401);
});
