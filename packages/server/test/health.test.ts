import { openHoldfast } from "@holdfast/core";
import { expect, test } from "vitest";
import { createApi } from "../src/index.ts";
import { aDoubt, useServer } from "./served.ts";

const server = useServer();

test("the process says that it is up, and that it can work", async () => {
  expect((await server.get("/healthz", null)).body).toEqual({ status: "up" });
  expect((await server.get("/readyz", null)).body).toEqual({ status: "ready" });
});

test("a server whose database is away is up, but not ready", async () => {
  const hf = await openHoldfast({ database: server.database });
  const api = createApi(hf);
  await hf.close();
  expect((await api.request("/healthz")).status).toBe(200);
  expect((await api.request("/readyz")).status).toBe(503);
});

test("Prometheus is told how many runs there are of each status", async () => {
  await aDoubt(server.hf);
  const { body, headers } = await server.get("/metrics");
  expect(headers.get("content-type")).toContain("text/plain");
  expect(body).toContain('holdfast_runs{status="running",waiting_on=""} 0');
  expect(body).toContain('holdfast_runs{status="waiting",waiting_on="doubt"} 1');
});

test("the OpenAPI document is 3.1 and tells of every route under /v1", async () => {
  const { body } = await server.get("/v1/openapi.json");
  expect(body.openapi).toBe("3.1.0");
  expect(Object.keys(body.paths)).toContain("/v1/runs/{id}/tail");
  expect(body.paths["/v1/runs"].get.parameters.map(({ name }: { name: string }) => name)).toContain("cursor");
});

test("the reference page is served from here, with its script and style", async () => {
  expect((await server.get("/reference", null)).body).toContain("Holdfast: REST API");
  expect((await server.get("/reference/swagger-ui-bundle.js", null)).headers.get("content-type")).toContain(
    "javascript",
  );
  expect((await server.get("/reference/swagger-ui.css", null)).status).toBe(200);
});
