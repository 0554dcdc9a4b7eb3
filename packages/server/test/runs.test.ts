import { step } from "@holdfast/core";
import { expect, test } from "vitest";
import { createClient } from "../src/index.ts";
import { aDoubt, aRun, keyOf, newId, pathOf, useServer } from "./served.ts";

const server = useServer();

test("a run is shown with its input, its value and its stamp", async () => {
  const id = await aRun(server.hf, { tags: ["tenant:acme"] });
  const { status, body } = await server.get(pathOf(id));
  expect(status).toBe(200);
  expect(body).toMatchObject({
    id,
    agent: "support",
    status: "succeeded",
    tags: ["tenant:acme"],
    input: { order: 42 },
    value: { done: true },
    attempts: { crashes: 0, retries: 0, resumes: 0 },
  });
  expect(new Date(body.createdAt).getTime()).toBeLessThanOrEqual(new Date(body.finishedAt).getTime());
});

test("runs are listed by agent, tag and status, a page at a time, the newest first", async () => {
  const ids = [];
  for (let i = 0; i < 5; i++) ids.push(await aRun(server.hf, { agent: "lister", tags: ["page"] }));
  const first = await server.get("/v1/runs?agent=lister&tag=page&status=succeeded&limit=3");
  const second = await server.get(`/v1/runs?agent=lister&limit=3&cursor=${first.body.cursor}`);
  const listed = [...first.body.runs, ...second.body.runs].map((run: { id: string }) => run.id);
  expect(listed).toEqual(ids.toReversed());
  expect(second.body.cursor).toBeUndefined();
  expect((await server.get("/v1/runs?agent=lister&status=failed")).body.runs).toEqual([]);
});

test("entries are read in parts, each behind the seq that the one before it named", async () => {
  const id = await aRun(server.hf, { steps: 4 });
  const whole = await server.get(`${pathOf(id)}/entries`);
  const seqs = [];
  for (let next: number | undefined = 0; next !== undefined; ) {
    const { body } = await server.get(`${pathOf(id)}/entries?after=${next}&limit=2`);
    seqs.push(...body.entries.map((entry: { seq: number }) => entry.seq));
    next = body.next;
  }
  expect(seqs).toEqual(whole.body.entries.map((entry: { seq: number }) => entry.seq));
  expect(seqs).toEqual(Array.from({ length: seqs.length }, (_, i) => i + 1));
});

test("values that JSON has not are shown in its words", async () => {
  const id = newId();
  const value = {
    at: new Date(0),
    bytes: new Uint8Array([104, 105]),
    big: 7n,
    none: Number.NaN,
    map: new Map([["a", 1]]),
    set: new Set([1]),
    error: new TypeError("no"),
  };
  await server.hf.run(id, () => value);
  const { body } = await server.get(pathOf(id));
  expect(body.value).toEqual({
    at: "1970-01-01T00:00:00.000Z",
    bytes: "aGk=",
    big: "7",
    none: "NaN",
    map: [["a", 1]],
    set: [1],
    error: { name: "TypeError", message: "no" },
  });
});

test("a value that holds itself is shown cut off", async () => {
  const id = newId();
  const value: Record<string, unknown> = { a: 1 };
  value.self = value;
  await server.hf.run(id, () => value);
  expect((await server.get(pathOf(id))).body.value).toEqual({ a: 1, self: "[…]" });
});

test("a run that has ended is forgotten, one that has not is not", async () => {
  const id = await aRun(server.hf);
  expect((await server.ask("DELETE", pathOf(id))).status).toBe(204);
  expect((await server.get(pathOf(id))).body).toMatchObject({ status: 404, code: "RUN_NOT_FOUND" });

  const { id: waiting } = await aDoubt(server.hf);
  const refused = await server.ask("DELETE", pathOf(waiting));
  expect(refused.body).toMatchObject({
    status: 409,
    code: "COMMAND_NOT_ALLOWED",
    details: { runId: waiting },
  });
});

test("a doubt is listed, and resolved in the name of the key", async () => {
  const { id, step } = await aDoubt(server.hf);
  const listed = await server.get(`/v1/doubts?runId=${encodeURIComponent(id)}`);
  expect(listed.body.doubts).toMatchObject([{ runId: id, step, name: "send_wire", input: { cents: 5 } }]);

  const answer = await server.post(`${pathOf(id)}/resolve`, {
    step,
    happened: { receipt: 1 },
    comment: "on record",
  });
  expect(answer.status).toBe(204);
  const entry = (await server.hf.entries(id)).at(-1);
  expect(entry).toMatchObject({
    kind: "resolution",
    happened: true,
    by: "ana",
    comment: "on record",
    output: { receipt: 1 },
  });

  const again = await server.post(`${pathOf(id)}/resolve`, { step, didNotHappen: true });
  expect(again.body).toMatchObject({ status: 409, code: "COMMAND_NOT_ALLOWED" });
});

test("whoever resolves a doubt cannot say it was somebody else", async () => {
  const { id, step } = await aDoubt(server.hf);
  const answer = await server.post(`${pathOf(id)}/resolve`, { step, happened: 1, by: "bob" });
  expect(answer.body).toMatchObject({ status: 400, code: "INVALID_ARGUMENT" });
});

test("a resolution says what happened, or that it did not, and not neither", async () => {
  const { id, step } = await aDoubt(server.hf);
  expect((await server.post(`${pathOf(id)}/resolve`, { step })).status).toBe(400);
  expect((await server.post(`${pathOf(id)}/resolve`, { step, happened: null })).status).toBe(204);
});

test("old runs are pruned", async () => {
  const id = await aRun(server.hf);
  expect((await server.post("/v1/prune", { olderThan: "0s" })).body.pruned).toBeGreaterThan(0);
  expect((await server.get(pathOf(id))).body.prunedAt).toBeDefined();
});

test("what a model was asked is shown", async () => {
  const id = newId();
  await server.hf.run(id, async () => {
    const { current } = await import("@holdfast/core");
    await current()?.step({ kind: "model", name: "acme/m", input: { prompt: "hi" } }, () => "ho");
  });
  const observation = (await server.hf.entries(id)).find((entry) => entry.kind === "observation");
  const { body } = await server.get(
    `${pathOf(id)}/request?step=${encodeURIComponent(observation?.step ?? "")}`,
  );
  expect(body).toEqual({ request: { prompt: "hi" } });
});

test("a worker is listed while it is alive", async () => {
  const here = Promise.withResolvers<void>();
  const go = Promise.withResolvers<void>();
  const running = server.hf.run(newId(), () =>
    step("long", async () => {
      here.resolve();
      await go.promise;
    }),
  );
  await here.promise;
  const { body } = await server.get("/v1/workers");
  expect(body.workers).toMatchObject([{ pid: process.pid, alive: true, leases: 1 }]);
  go.resolve();
  await running;
});

test("the typed client reads what the API says", async () => {
  const id = await aRun(server.hf);
  const client = createClient(server.url, keyOf("reader"));
  const response = await client.v1.runs[":id"].$get({ param: { id: encodeURIComponent(id) } });
  const run = await response.json();
  expect("attempts" in run && run.id).toBe(id);
});
