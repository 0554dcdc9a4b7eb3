import { ask } from "@holdfast/core";
import { expect, test } from "vitest";
import { z } from "zod";
import { newId, pathOf, useServer } from "./served.ts";

const server = useServer();

/** A run that asks a person, and waits. */
async function aQuestion(id = newId()) {
  const amount = () => ask({ question: "How much?", schema: z.object({ cents: z.int() }) });
  const run = () => server.hf.run(id, amount);
  await run().catch(() => {});
  const { body } = await server.get(`/v1/questions?runId=${encodeURIComponent(id)}`);
  return { id, run, question: body.questions[0] };
}

test("a question is listed with what may be answered, and answered in the name of the key", async () => {
  const { id, run, question } = await aQuestion();
  expect(question).toMatchObject({ runId: id, asks: "input", question: "How much?", need: 1, approved: [] });
  expect(question.schema).toMatchObject({ type: "object", required: ["cents"] });

  const path = `/v1/questions/${question.id}/answer`;
  expect((await server.post(path, { value: { cents: "many" } })).status).toBe(400);
  expect((await server.post(path, { value: { cents: 5 }, comment: "as agreed" }, "approver")).status).toBe(
    204,
  );
  const entry = (await server.hf.entries(id)).find(({ kind }) => kind === "answer");
  expect(entry).toMatchObject({ says: "input", by: "approver", comment: "as agreed" });
  expect((await server.post(path, { value: { cents: 6 } })).body).toMatchObject({
    status: 409,
    code: "QUESTION_ANSWERED",
  });
  expect(await run()).toEqual({ cents: 5 });
});

test("an answer cannot be given in another name, nor be both of two things", async () => {
  const { question } = await aQuestion();
  const path = `/v1/questions/${question.id}/answer`;
  for (const body of [
    { value: { cents: 1 }, by: "bob" },
    { approve: true, value: 1 },
    {},
    { approve: "yes" },
  ])
    expect((await server.post(path, body)).body).toMatchObject({ status: 400, code: "INVALID_ARGUMENT" });
});

test("a question that was never asked is answered by nobody", async () => {
  expect((await server.post("/v1/questions/none/answer", { value: 1 })).status).toBe(400);
});

test("why says of a run that asks who is to answer", async () => {
  const { id } = await aQuestion();
  expect((await server.get(`${pathOf(id)}/why`)).body.todo).toContain("holdfast answer");
});
