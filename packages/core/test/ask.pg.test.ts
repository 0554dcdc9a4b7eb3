import { expect, test } from "vitest";
import { z } from "zod";
import { ask, type Holdfast, HoldfastError, step } from "../src/index.ts";
import { tool } from "./governed.ts";
import { counter, useHoldfast } from "./opened.ts";
import { newId } from "./store.ts";

const { open, session, sql } = useHoldfast();
const ana = { by: "ana" };

const Amount = z.object({
  cents: z
    .number()
    .int()
    .transform((cents) => cents),
});

/** A run that asks for an amount, and the question. */
async function asking(more: { expiresIn?: string; by?: string | string[] } = {}) {
  const [id, holdfast] = [newId(), await open()];
  const { calls, does } = counter();
  const run = (on: Holdfast = holdfast) =>
    on.run(id, async () => {
      const amount = await ask({ question: "How much?", schema: Amount, ...more });
      return await step("pay", does("pay", amount));
    });
  const error = await run().catch((error) => error);
  return { id, holdfast, calls, run, error, question: error.details?.questions[0] as string };
}

test("a run that asks for an input parks, and says what it asks and what may be answered", async () => {
  const { id, holdfast, error, question } = await asking();
  expect(error).toMatchObject({
    code: "RUN_WAITING",
    details: { waitingOn: "input", questions: [question] },
  });
  expect(await holdfast.questions.list({ runId: id })).toMatchObject([
    {
      id: question,
      asks: "input",
      question: "How much?",
      schema: { properties: { cents: { type: "integer" } } },
    },
  ]);
});

test("an input is given back wherever the run goes on, and used in the entry of its step", async () => {
  const { id, question, run, calls } = await asking();
  const [answering, resuming] = [await open(), await open()];
  await answering.questions.answer(question, { value: { cents: 7 }, ...ana });
  expect(await run(resuming)).toEqual({ cents: 7 });
  expect(await run(resuming)).toEqual({ cents: 7 });
  expect(calls).toEqual(["pay"]);
  const entries = (await resuming.entries(id)).filter((entry) => "step" in entry && entry.step === "ask#0");
  expect(entries).toMatchObject([
    { kind: "question", asks: "input" },
    { kind: "answer", says: "input", by: "ana", value: { cents: 7 } },
    { kind: "observation", question, output: { cents: 7 } },
  ]);
});

test("an input that does not fit is refused where it is given", async () => {
  const { holdfast, question } = await asking();
  await expect(holdfast.questions.answer(question, { value: { cents: "few" }, ...ana })).rejects.toThrow(
    /value.*cents.*\(INVALID_ARGUMENT\)/,
  );
});

test("an input that only the run can refuse is asked for again, and the question says why", async () => {
  const [id, holdfast] = [newId(), await open()];
  const schema = z.string().refine((code) => code === "blue", "not the word of the day");
  const run = () => holdfast.run(id, () => ask({ question: "What is the word?", schema }));
  const first = await run().catch((error) => error);
  await holdfast.questions.answer(first.details.questions[0], { value: "red", ...ana });
  const second = await run().catch((error) => error);
  const [question] = await holdfast.questions.list({ runId: id });
  expect(question).toMatchObject({
    id: second.details.questions[0],
    question: expect.stringContaining("not the word"),
  });
  await holdfast.questions.answer(question?.id ?? "", { value: "blue", ...ana });
  expect(await run()).toBe("blue");
});

test("an input that nobody gives in time throws QUESTION_EXPIRED, which the run may catch", async () => {
  const [id, holdfast] = [newId(), await open()];
  const run = () =>
    holdfast.run(id, () =>
      ask({ question: "Still there?", expiresIn: "1h" }).catch((error) =>
        HoldfastError.is(error, "QUESTION_EXPIRED") ? "nobody" : error,
      ),
    );
  await run().catch(() => {});
  await sql(
    "update holdfast.questions set expires_at = now() where run = (select run from holdfast.runs where run_id = $1)",
    [id],
  );
  expect([await run(), await run()]).toEqual(["nobody", "nobody"]);
});

test("an input whose time is over is not waited for, though somebody else is just closing its question", async () => {
  const [id, holdfast] = [newId(), await open()];
  const run = () => holdfast.run(id, () => ask({ question: "?", expiresIn: "1h" }).catch(() => "nobody"));
  await expect(run()).rejects.toThrow("(RUN_WAITING)");
  const other = await session();
  await other.query("begin");
  await other.query("select from holdfast.runs where run_id = $1 for no key update", [id]);
  await sql(
    "update holdfast.questions set expires_at = now() where run = (select run from holdfast.runs where run_id = $1)",
    [id],
  );
  const told = run().catch((error: { code: string }) => error.code);
  expect(await Promise.race([told, new Promise((resolve) => setTimeout(resolve, 300, "goes on"))])).toBe(
    "goes on",
  );
  await other.query("commit");
  expect(await told).toBe("nobody");
});

test("only those who are asked may answer", async () => {
  const { holdfast, question, run } = await asking({ by: ["ana", "ben"] });
  await expect(holdfast.questions.answer(question, { value: { cents: 1 }, by: "mallory" })).rejects.toThrow(
    "(COMMAND_NOT_ALLOWED)",
  );
  await holdfast.questions.answer(question, { value: { cents: 1 }, by: "ben" });
  expect(await run()).toEqual({ cents: 1 });
});

test("of two inputs at once one wins", async () => {
  const { holdfast, question, run } = await asking();
  const given = [1, 2].map((cents) => holdfast.questions.answer(question, { value: { cents }, ...ana }));
  const settled = await Promise.allSettled(given);
  const won = settled.findIndex(({ status }) => status === "fulfilled") + 1;
  expect(settled.filter(({ status }) => status === "rejected")).toMatchObject([
    { reason: { code: "QUESTION_ANSWERED" } },
  ]);
  expect(await run()).toEqual({ cents: won });
});

test("questions side by side get their own answers, though they are asked again in another order", async () => {
  const [id, holdfast] = [newId(), await open()];
  const run = (...order: string[]) =>
    holdfast.run(id, () => Promise.all(order.map((question) => ask({ question }))));
  await run("a?", "b?").catch(() => {});
  const questions = await holdfast.questions.list({ runId: id });
  for (const { id: question, question: text } of questions) {
    await holdfast.questions.answer(question, { value: `answer to ${text}`, ...ana });
  }
  expect(questions).toHaveLength(2);
  expect(await run("b?", "a?")).toEqual(["answer to b?", "answer to a?"]);
});

test("a question inside a call that may not be repeated is refused: the call would be in doubt", async () => {
  const holdfast = await open();
  const asks = () => ask({ question: "Sure?" });
  await expect(holdfast.run(newId(), () => tool("wire", {}, asks))).rejects.toThrow("(INVALID_ARGUMENT)");
});

test("a question inside a call that may be repeated is answered in its next execution", async () => {
  const [id, holdfast] = [newId(), await open({ tools: { agent: { effect: "read" } } })];
  const run = () => holdfast.run(id, () => tool("agent", {}, () => ask({ question: "Sure?" })));
  await run().catch(() => {});
  const [question] = await holdfast.questions.list({ runId: id });
  await holdfast.questions.answer(question?.id ?? "", { value: "yes", ...ana });
  expect(await run()).toBe("yes");
});

test.each([{}, { question: "" }, { question: "?", expiresIn: "soon" }])(
  "what is no question is refused",
  async (asking) => {
    const holdfast = await open();
    await expect(holdfast.run(newId(), () => ask(asking as never))).rejects.toThrow("(INVALID_ARGUMENT)");
  },
);

test("a question outside a run is refused", async () => {
  await expect(ask({ question: "Anybody?" })).rejects.toThrow("(INVALID_ARGUMENT)");
});

test("an input of which the ledger would not keep all is refused: the run would not get it", async () => {
  const [id, holdfast] = [newId(), await open({ redact: ["*.card"] })];
  const work = () => ask({ question: "How do you pay?" });
  await expect(holdfast.run(id, work)).rejects.toThrow("(RUN_WAITING)");
  const [question] = await holdfast.questions.list({ runId: id });
  const given = (value: unknown) => holdfast.questions.answer(question?.id ?? "", { value, by: "ana" });
  await expect(given({ card: "4111" })).rejects.toThrow("cannot be passed on");
  await given({ cash: 7 });
  expect(await holdfast.run(id, work)).toEqual({ cash: 7 });
});

test("a question is recorded and asked without what looks like a secret in it, and is the same one again", async () => {
  const [id, holdfast] = [newId(), await open()];
  const work = (secret: string) => () =>
    ask({ question: `May I go on with postgres://ana:${secret}@db.example/shop?` });
  await expect(holdfast.run(id, work("hunter2-secret"))).rejects.toThrow("(RUN_WAITING)");
  const [question] = await holdfast.questions.list({ runId: id });
  expect(question?.question).toBe("May I go on with postgres://[redacted]@db.example/shop?");
  await holdfast.questions.answer(question?.id ?? "", { value: true, ...ana });
  expect(await holdfast.run(id, work("another-secret"))).toBe(true);
  expect(JSON.stringify(await holdfast.entries(id))).not.toContain("hunter2");
});
