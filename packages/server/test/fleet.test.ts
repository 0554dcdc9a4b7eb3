import { ask } from "@holdfast/core";
import { expect, test } from "vitest";
import { z } from "zod";
import { useServer } from "./served.ts";

const server = useServer();

test("a run is started by its agent's name, once a key, in the name of the key, and worked on by a worker", async () => {
  server.hf.agent("adder", ({ a, b }: { a: number; b: number }) => a + b, {
    version: "2",
    input: z.object({ a: z.number(), b: z.number() }),
  });
  const unknown = await server.post("/v1/runs", { agent: "nobody" });
  expect(unknown.body).toMatchObject({ status: 400, code: "INVALID_ARGUMENT" });
  expect((await server.post("/v1/runs", { agent: "adder", input: { a: 1 } })).status).toBe(400);

  const start = (b: number) =>
    server.post("/v1/runs", { agent: "adder", input: { a: 1, b }, key: "sum", tags: ["t"] }, "operator");
  const { status, body } = await start(2);
  expect(status).toBe(201);
  expect((await start(2)).body).toEqual(body);
  expect((await start(3)).body).toMatchObject({ status: 409, code: "RUN_EXISTS_DIFFERENT" });

  const queued = await server.get("/v1/agents");
  expect(queued.body.agents).toEqual([{ name: "adder", versions: [], queued: 1, running: 0, waiting: 0 }]);
  expect((await server.get(`/v1/runs/${body.id}/why`)).body.why).toContain("none that is alive has adder");

  const worker = server.hf.worker();
  await worker.start();
  const tail = await server.get(`/v1/runs/${body.id}/tail`);
  expect(tail.body).toContain('"value":3');
  expect(tail.body).toContain('"by":"operator"');
  const working = await server.get("/v1/agents");
  expect(working.body.agents).toMatchObject([
    { name: "adder", versions: [{ version: "2", workers: 1 }], queued: 0 },
  ]);
  await worker.stop();
});

test("a run of the fleet that is answered over HTTP goes on by itself", async () => {
  server.hf.agent("asker", () => ask({ question: "Well?" }));
  const worker = server.hf.worker({ agents: ["asker"] });
  await worker.start();
  const { body } = await server.post("/v1/runs", { agent: "asker" });
  const tailing = server.get(`/v1/runs/${body.id}/tail`);
  let question: { id: string } | undefined;
  while (!question) [question] = (await server.get(`/v1/questions?runId=${body.id}`)).body.questions;
  expect((await server.post(`/v1/questions/${question.id}/answer`, { value: "yes" })).status).toBe(204);
  expect((await tailing).body).toContain('"status":"succeeded"');
  await worker.stop();
});
