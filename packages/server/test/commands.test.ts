import { sleep, step } from "@holdfast/core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { pathOf, useServer } from "./served.ts";

const server = useServer();
let broken = true;

beforeAll(async () => {
  server.hf.agent("sleeper", () => sleep("1h").then(() => "slept"));
  server.hf.agent("breaker", async () => {
    await step("before", () => 1, { effect: "idempotent" });
    if (broken) throw new TypeError("the shop is closed");
    return "done";
  });
  await server.hf.worker().start();
});
afterAll(() => {
  broken = false;
});

const startOf = async (agent: string): Promise<string> => (await server.post("/v1/runs", { agent })).body.id;
const statusOf = async (id: string) => (await server.get(pathOf(id))).body;

/** Looks until the run is like that. */
async function until(id: string, is: (run: { status: string; waitingOn?: string }) => boolean) {
  let run = await statusOf(id);
  while (!is(run)) run = await statusOf(id);
  return run;
}

test("a run is paused, resumed and cancelled, and the ledger says by whose key", async () => {
  const id = await startOf("sleeper");
  await until(id, ({ status }) => status === "waiting");
  for (const command of ["pause", "resume", "cancel"]) {
    const { status } = await server.ask("POST", `${pathOf(id)}/${command}`, { as: "operator" });
    expect([command, status]).toEqual([command, 204]);
  }
  expect((await until(id, ({ status }) => status === "cancelled")).status).toBe("cancelled");
  const commands = (await server.hf.entries(id)).filter((entry) => entry.kind === "command");
  expect(commands).toMatchObject(
    ["pause", "resume", "cancel"].map((command) => ({ command, by: "operator" })),
  );
  const again = await server.ask("POST", `${pathOf(id)}/resume`);
  expect(again.body).toMatchObject({ status: 409, code: "COMMAND_NOT_ALLOWED" });
});

test("dead letters are listed with what they failed with, and redriven, one or many", async () => {
  const ids = [await startOf("breaker"), await startOf("breaker")];
  for (const id of ids) await until(id, ({ status }) => status === "failed");
  const { body } = await server.get("/v1/dead-letters?agent=breaker");
  expect(body.deadLetters).toHaveLength(2);
  expect(body.deadLetters[0]).toMatchObject({
    status: "failed",
    error: { name: "TypeError", message: "the shop is closed" },
  });
  const one = await server.get(`/v1/dead-letters/${ids[0]}`);
  expect(one.body.entries.at(-1)).toMatchObject({ kind: "outcome", status: "failed" });
  expect((await server.get("/v1/dead-letters/none")).status).toBe(404);

  broken = false;
  expect((await server.post(`${pathOf(ids[0] ?? "")}/redrive`, {})).status).toBe(204);
  const many = await server.post("/v1/redrive", { ids: [ids[1], "none"] }, "operator");
  expect(many.body).toMatchObject({ redriven: [ids[1]], refused: [{ id: "none", code: "RUN_NOT_FOUND" }] });
  for (const id of ids) await until(id, ({ status }) => status === "succeeded");
  expect((await server.get("/v1/dead-letters")).body.deadLetters).toEqual([]);
  const intents = (await server.hf.entries(ids[1] ?? "")).filter(({ kind }) => kind === "intent");
  expect(intents).toHaveLength(1); // what it had done was not done again
});
