import { receive, sleep, step } from "@holdfast/core";
import { beforeAll, expect, test } from "vitest";
import { aRun, newId, pathOf, useServer } from "./served.ts";

const server = useServer();

beforeAll(async () => {
  server.hf.agent("one", () => 1);
  server.hf.agent("sum", (_: unknown, { outputs }) =>
    Object.values(outputs).reduce((sum: number, each) => sum + (each as number), 0),
  );
  server.hf.agent("listener", () => receive({ wait: true }));
  server.hf.agent("sleeper", () => sleep("1h"));
  await server.hf.worker().start();
});

const tailOf = async (id: string) => (await server.get(`${pathOf(id)}/tail`)).body as string;

test("a flow is started by its agents' names, and its graph is shown from any of its runs", async () => {
  const nodes = [
    { name: "a", agent: "one" },
    { name: "b", agent: "one" },
    { name: "c", agent: "sum", after: ["a", { name: "b", onFailure: "skip" }] },
  ];
  const started = await server.post("/v1/flows", { name: "sums", key: "today", nodes }, "operator");
  expect(started.status).toBe(201);
  const { runs } = started.body;
  expect((await server.post("/v1/flows", { name: "sums", key: "today", nodes })).body).toEqual(started.body);
  expect(await tailOf(runs.c)).toContain('"value":2');
  const { body: graph } = await server.get(`${pathOf(runs.a)}/flow`);
  expect(new Set(graph.nodes.map(({ id }: { id: string }) => id))).toEqual(new Set(Object.values(runs)));
  expect(graph.edges).toContainEqual({ from: runs.b, to: runs.c, name: "b", onFailure: "skip", ended: true });
  expect((await server.get("/v1/runs/none/flow")).status).toBe(404);
  const cycle = [{ name: "a", agent: "one", after: ["a"] }];
  expect((await server.post("/v1/flows", { name: "x", nodes: cycle })).status).toBe(400);
});

test("flows are listed, the newest first, with how many of their runs there are of each status, and by whom", async () => {
  const start = async (key: string) => {
    const nodes = [
      { name: "a", agent: "one" },
      { name: "b", agent: "sleeper", after: ["a"] },
    ];
    return (await server.post("/v1/flows", { name: "listed", key, nodes }, "operator")).body;
  };
  const [first, second] = [await start("1"), await start("2")];
  await start("1"); // it is there
  for (const { runs } of [first, second])
    while ((await server.get(pathOf(runs.b))).body.waitingOn !== "timer");
  const page = (await server.get("/v1/flows?name=listed&limit=1")).body;
  expect(page.flows).toEqual([
    {
      id: second.id,
      name: "listed",
      by: "operator",
      createdAt: expect.any(String),
      run: second.runs.a,
      runs: { succeeded: 1, waiting: 1 },
    },
  ]);
  const rest = (await server.get(`/v1/flows?name=listed&limit=1&cursor=${page.cursor}`)).body;
  expect(rest).toMatchObject({ flows: [{ id: first.id, run: first.runs.a }] });
  expect(rest.cursor).toBeUndefined();
  expect((await server.get("/v1/flows?cursor=x")).status).toBe(400);
  expect((await server.hf.entries(second.runs.a))[0]).toMatchObject({ kind: "start", by: "operator" });
  const { nodes } = (await server.get(`${pathOf(second.runs.a)}/flow`)).body;
  expect(nodes.map(({ id, name }: { id: string; name: string }) => [id, name])).toEqual([
    [second.runs.a, "a"],
    [second.runs.b, "b"],
  ]);
});

test("a run alone is a graph of one", async () => {
  const id = await aRun(server.hf);
  expect((await server.get(`${pathOf(id)}/flow`)).body).toMatchObject({
    nodes: [{ id, status: "succeeded" }],
    edges: [],
  });
});

test("a schedule is put, listed with its next time, and ended", async () => {
  const put = (body: unknown) => server.ask("PUT", "/v1/schedules/nightly", { body, as: "operator" });
  expect((await put({ cron: "0 3 * * *", timezone: "Europe/Berlin", agent: "one" })).status).toBe(204);
  expect((await put({ cron: "whenever", agent: "one" })).status).toBe(400);
  expect((await put({ cron: "0 3 * * *", agent: "nobody" })).status).toBe(400);
  const { body } = await server.get("/v1/schedules");
  expect(body.schedules).toMatchObject([{ name: "nightly", cron: "0 3 * * *", agent: "one", missed: "one" }]);
  expect(new Date(body.schedules[0].nextAt).getTime()).toBeGreaterThan(Date.now());
  expect((await server.ask("DELETE", "/v1/schedules/nightly")).status).toBe(204);
  expect((await server.ask("DELETE", "/v1/schedules/nightly")).status).toBe(400);
});

test("a message reaches the run that waits for it", async () => {
  const { body } = await server.post("/v1/runs", { agent: "listener" });
  while ((await server.get(pathOf(body.id))).body.waitingOn !== "input");
  expect((await server.post(`${pathOf(body.id)}/send`, { message: { go: 1 } }, "operator")).status).toBe(204);
  expect(await tailOf(body.id)).toContain('"value":[{"go":1}]');
});

test("a fork begins with what another run has done, with an output set otherwise", async () => {
  const id = newId();
  const price = () => step("price", () => 5, { effect: "read" });
  await server.hf.run(id, async () => (await price()) * 2);
  const at = (await server.hf.entries(id)).findLast((entry) => entry.kind === "observation");
  const set = { steps: { [at && "step" in at ? at.step : ""]: { output: 7 } } };
  const { status, body } = await server.post(`${pathOf(id)}/fork`, { at: at?.seq, set });
  expect(status).toBe(201);
  expect(await server.hf.run(body.id, async () => (await price()) * 2)).toBe(14);
  expect((await server.post(`${pathOf(id)}/fork`, { at: 10_000 })).status).toBe(400);
});

test("a budget is raised in the name of the key, and shared budgets are listed", async () => {
  const { body } = await server.post("/v1/runs", { agent: "sleeper" });
  expect((await server.post(`${pathOf(body.id)}/budget`, { to: 5_000_000 }, "approver")).status).toBe(204);
  expect((await server.get(pathOf(body.id))).body.budget).toMatchObject({ cap: 5_000_000 });
  const command = (await server.hf.entries(body.id)).find(({ kind }) => kind === "command");
  expect(command).toMatchObject({ command: "raiseBudget", by: "approver" });
  expect((await server.post(`${pathOf(body.id)}/budget`, { to: 1 })).status).toBe(400);
  expect((await server.post(`${pathOf(body.id)}/budget`, { to: -1 })).status).toBe(400);

  const { db } = await server.hf.opened();
  await db.query(`insert into holdfast.budgets (budget, scope, per, starts, until, cap_micros, spent_micros)
                  values ('b', 'tag:tenant:acme', 'day', now(), now() + interval '1 day', 50, 20)`);
  const listed = await server.get("/v1/budgets?scope=tag:tenant:acme");
  expect(listed.body.budgets).toMatchObject([
    { per: "day", open: true, micros: { cap: 50, spent: 20, held: 0 } },
  ]);
  expect((await server.get("/v1/budgets?scope=agent:none")).body.budgets).toEqual([]);
});
