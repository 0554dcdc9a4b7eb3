import { current, step } from "@holdfast/core";
import { beforeAll, expect, test } from "vitest";
import { createApi } from "../src/index.ts";
import { keyOf, keys, newId, pathOf, useServer } from "./served.ts";

const server = useServer();
const price = (cents: number) => step("price", () => cents, { effect: "read" });
const asked: unknown[] = [];

beforeAll(() => {
  server.hf.agent("pricer", async ({ factor }: { factor: number }) => {
    const word = await current()?.step({ kind: "model", name: "acme/m", input: { prompt: "hi" } }, () =>
      asked.push("hi"),
    );
    return { word, cents: (await price(5)) * factor };
  });
});

async function aRun(work: () => unknown): Promise<string> {
  const id = newId();
  await server.hf.run(id, work, { agent: "pricer", input: { factor: 2 } });
  return id;
}
const model = () =>
  current()?.step({ kind: "model", name: "acme/m", input: { prompt: "hi" } }, () => "recorded");

test("a trace says whether the agent that is registered still does what is on record", async () => {
  const id = await aRun(async () => ({ word: await model(), cents: (await price(5)) * 2 }));
  const { status, body } = await server.post(`${pathOf(id)}/replay`, { mode: "trace" }, "operator");
  expect(status).toBe(200);
  expect(body).toMatchObject({
    mode: "trace",
    follows: true,
    calls: 2,
    value: { word: "recorded", cents: 10 },
  });

  const other = await aRun(async () => ({ word: await model() }));
  const left = (await server.post(`${pathOf(other)}/replay`, { mode: "trace" })).body;
  expect(left).toMatchObject({ follows: false, departures: [{ at: "diverged", step: "price#0" }] });
});

test("a replay is a run of its own that says who asked for it, with what was set otherwise", async () => {
  const id = await aRun(async () => ({ word: await model(), cents: (await price(5)) * 2 }));
  const own = newId();
  const set = { input: { factor: 7 }, steps: { "price#0": { output: 3 } } };
  const { body } = await server.post(
    `${pathOf(id)}/replay`,
    { mode: "counterfactual", set, id: own },
    "operator",
  );
  expect(body).toMatchObject({
    mode: "counterfactual",
    id: own,
    value: { word: "recorded", cents: 21 },
    diff: { same: false },
  });
  expect(asked).toEqual([]);
  const note = (await server.hf.entries(own)).find((entry) => entry.kind === "note");
  expect(note).toMatchObject({ note: "forked", from: id, by: "operator" });

  const mocked = await server.post(`${pathOf(id)}/replay`, { mode: "mock-tools" });
  expect(mocked.body.value).toEqual({ word: 1, cents: 10 });
});

test("what cannot be replayed here is refused, and it is said who could", async () => {
  const id = newId();
  await server.hf.run(id, () => 1, { agent: "elsewhere" });
  const { status, body } = await server.post(`${pathOf(id)}/replay`, { mode: "trace" });
  expect([status, body.code]).toEqual([409, "COMMAND_NOT_ALLOWED"]);
  expect(body.detail).toContain("its agent elsewhere is not registered in this process");
  expect((await server.post(`${pathOf("none")}/replay`, { mode: "trace" })).status).toBe(404);
  expect((await server.post(`${pathOf(id)}/replay`, { mode: "trace" }, "reader")).status).toBe(403);
  for (const wrong of [{}, { mode: "live" }, { mode: "trace", from: 2 }, { mode: "mock-tools", from: 0 }])
    expect((await server.post(`${pathOf(id)}/replay`, wrong)).status).toBe(400);
});

test("a replay shows nothing of what is kept out of responses", async () => {
  const id = await aRun(async () => ({ word: "4242424242" }));
  const api = createApi(server.hf, { keys, redact: ["value.word"] });
  const response = await api.request(`${pathOf(id)}/replay`, {
    method: "POST",
    headers: { authorization: `Bearer ${keyOf("operator")}`, "content-type": "application/json" },
    body: JSON.stringify({ mode: "mock-tools" }),
  });
  expect(response.status).toBe(200);
  expect(await response.text()).not.toContain("4242424242");
});
