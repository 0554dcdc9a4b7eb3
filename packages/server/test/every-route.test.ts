import { ask, current, sleep, step } from "@holdfast/core";
import { expect, test } from "vitest";
import { aDoubt, aRun, keyOf, newId, pathOf, useServer } from "./served.ts";

const server = useServer();

/** Asks, and does not wait for a stream that has no end. */
async function statusOf(method: string, path: string, body?: unknown): Promise<number> {
  const response = await fetch(server.url + path, {
    method,
    headers: {
      authorization: `Bearer ${keyOf("ana")}`,
      "content-type": "application/json",
      "sec-fetch-site": "same-origin", // as a page of the server's own
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  await response.body?.cancel();
  return response.status;
}

test("each route of the OpenAPI document does what it is for, against a real server", async () => {
  const { hf } = server;
  const agents = {
    one: hf.agent("one", () => step("look", () => 1, { effect: "read" })),
    sleeper: hf.agent("sleeper", () => sleep("1h")),
    broken: hf.agent("broken", () => Promise.reject(new Error("no"))),
    asker: hf.agent("asker", () => ask({ question: "Well?" })),
  };
  await hf.worker().start();
  const until = async (id: string, is: (run: { status: string; waitingOn?: string }) => boolean) => {
    while (!is((await server.get(pathOf(id))).body));
    return id;
  };
  const asleep = async () =>
    until((await hf.start(agents.sleeper, undefined)).id, ({ waitingOn }) => waitingOn === "timer");
  const failed = async () =>
    until((await hf.start(agents.broken, undefined)).id, ({ status }) => status === "failed");
  const asked = async () => {
    const id = await until(
      (await hf.start(agents.asker, undefined)).id,
      ({ waitingOn }) => waitingOn === "input",
    );
    return (await hf.questions.list({ runId: id }))[0]?.id ?? "";
  };
  const id = newId();
  await hf.run(
    id,
    async () => {
      await current()?.step({ kind: "model", name: "acme/m", input: { prompt: "hi" } }, () => "ho");
      return await step("look", () => 1, { effect: "read" });
    },
    { agent: "one" },
  );
  const run = pathOf(id);
  const post = (path: string, body?: unknown) => statusOf("POST", path, body);
  const get = (path: string) => statusOf("GET", path);
  const nodes = [{ name: "a", agent: "one" }];
  const schedule = { cron: "0 3 * * *", agent: "one" };

  const routes: Record<string, [number, () => Promise<number>]> = {
    "POST /v1/session": [204, () => post("/v1/session", { key: keyOf("ana") })],
    "GET /v1/session": [200, () => get("/v1/session")],
    "DELETE /v1/session": [204, () => statusOf("DELETE", "/v1/session")],
    "GET /v1/runs": [200, () => get("/v1/runs?status=succeeded&agent=one&limit=1")],
    "POST /v1/runs": [201, () => post("/v1/runs", { agent: "one", tags: ["t"] })],
    "GET /v1/runs/{id}": [200, () => get(run)],
    "DELETE /v1/runs/{id}": [204, async () => statusOf("DELETE", pathOf(await aRun(hf)))],
    "GET /v1/runs/{id}/entries": [200, () => get(`${run}/entries?after=1&limit=2`)],
    "GET /v1/runs/{id}/why": [200, () => get(`${run}/why`)],
    "GET /v1/runs/{id}/request": [200, () => get(`${run}/request?step=model%230`)],
    "GET /v1/runs/{id}/tail": [200, () => get(`${run}/tail`)],
    "GET /v1/tail": [200, () => get("/v1/tail")],
    "GET /v1/doubts": [200, () => get("/v1/doubts")],
    "POST /v1/runs/{id}/resolve": [
      204,
      async () => {
        const doubt = await aDoubt(hf);
        return await post(`${pathOf(doubt.id)}/resolve`, { step: doubt.step, happened: 1 });
      },
    ],
    "GET /v1/questions": [200, () => get("/v1/questions")],
    "POST /v1/questions/{id}/answer": [
      204,
      async () => await post(`/v1/questions/${await asked()}/answer`, { value: 1 }),
    ],
    "GET /v1/diff": [200, () => get(`/v1/diff?a=${encodeURIComponent(id)}&b=${encodeURIComponent(id)}`)],
    "GET /v1/runs/{id}/export": [200, () => get(`${run}/export`)],
    "POST /v1/runs/{id}/replay": [200, () => post(`${run}/replay`, { mode: "trace" })],
    "GET /v1/agents": [200, () => get("/v1/agents")],
    "POST /v1/flows": [201, () => post("/v1/flows", { name: "f", nodes })],
    "GET /v1/flows": [200, () => get("/v1/flows?name=f")],
    "GET /v1/runs/{id}/flow": [200, () => get(`${run}/flow`)],
    "GET /v1/schedules": [200, () => get("/v1/schedules")],
    "PUT /v1/schedules/{name}": [204, () => statusOf("PUT", "/v1/schedules/nightly", schedule)],
    "DELETE /v1/schedules/{name}": [204, () => statusOf("DELETE", "/v1/schedules/nightly")],
    "POST /v1/runs/{id}/cancel": [204, async () => post(`${pathOf(await asleep())}/cancel`)],
    "POST /v1/runs/{id}/pause": [204, async () => post(`${pathOf(await asleep())}/pause`)],
    "POST /v1/runs/{id}/resume": [
      204,
      async () => {
        const path = pathOf(await asleep());
        await post(`${path}/pause`);
        return await post(`${path}/resume`);
      },
    ],
    "POST /v1/runs/{id}/send": [204, async () => post(`${pathOf(await asleep())}/send`, { message: 1 })],
    "POST /v1/runs/{id}/fork": [201, () => post(`${run}/fork`, {})],
    "POST /v1/runs/{id}/redrive": [204, async () => post(`${pathOf(await failed())}/redrive`, {})],
    "POST /v1/redrive": [200, async () => post("/v1/redrive", { ids: [await failed()] })],
    "GET /v1/dead-letters": [200, () => get("/v1/dead-letters")],
    "GET /v1/dead-letters/{id}": [200, async () => get(`/v1/dead-letters/${await failed()}`)],
    "GET /v1/budgets": [200, () => get("/v1/budgets")],
    "POST /v1/runs/{id}/budget": [204, async () => post(`${pathOf(await asleep())}/budget`, { to: 5 })],
    "POST /v1/prune": [200, () => post("/v1/prune", { olderThan: "1d" })],
    "GET /v1/throughput": [200, () => get("/v1/throughput")],
    "GET /v1/audit": [200, () => get("/v1/audit")],
    "GET /v1/workers": [200, () => get("/v1/workers")],
  };

  const { paths } = (await server.get("/v1/openapi.json")).body as { paths: Record<string, object> };
  const documented = Object.entries(paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
  );
  expect(Object.keys(routes).toSorted()).toEqual(documented.toSorted());
  for (const [route, [status, exercise]] of Object.entries(routes))
    expect([route, await exercise()]).toEqual([route, status]);
});
