import { openHoldfast } from "@holdfast/core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { freshDatabase } from "../fresh-database.ts";
import { Child, type Line } from "../process.ts";

let database: Awaited<ReturnType<typeof freshDatabase>>;
beforeAll(async () => {
  database = await freshDatabase();
});
afterAll(async () => {
  await database.drop();
});

/** A process that plays its part and exits. */
async function part(runId: string, does: "run" | "answer") {
  const child = new Child("crash/asker.ts", [JSON.stringify({ database: database.url, runId, does })]);
  expect((await child.exited()).code).toBe(0);
  return child.lines;
}

const questionIn = (line: Line | undefined) => (line?.questions as string[] | undefined)?.[0];

test("one process asks and exits, another answers, a third goes on: for an input, and for an approval", async () => {
  const runId = "three-processes";
  const [first] = await part(runId, "run");
  expect(first).toMatchObject({ at: "waiting", on: "input" });
  expect(await part(runId, "answer")).toMatchObject([{ id: questionIn(first), asks: "input" }]);

  const [second, ...none] = await part(runId, "run");
  expect(second).toMatchObject({ at: "waiting", on: "approval" });
  expect(none).toEqual([]); // nothing was paid
  expect(await part(runId, "answer")).toMatchObject([{ id: questionIn(second), asks: "approval" }]);

  expect(await part(runId, "run")).toMatchObject([
    { at: "paid", cents: 400 },
    { at: "value", value: { paid: 400 } },
  ]);
  expect(await part(runId, "run")).toMatchObject([{ at: "value", value: { paid: 400 } }]);
});

test("a question that was asked by a process that is killed is the same question after", async () => {
  const runId = "killed";
  const child = new Child("crash/asker.ts", [JSON.stringify({ database: database.url, runId, does: "run" })]);
  const hf = await openHoldfast({ database: database.url });
  try {
    const asked = async () => {
      const [question] = await hf.questions.list({ runId });
      return question?.id;
    };
    await expect.poll(asked, { timeout: 20_000 }).toBeDefined();
    await child.kill();
    const id = await asked();
    const [again] = await part(runId, "run");
    expect(again).toMatchObject({ at: "waiting", questions: [id] });
    expect(await part(runId, "answer")).toMatchObject([{ id }]);
  } finally {
    await hf.close();
  }
});

test("a run of the fleet outlives the workers that it asks in: each is killed, somebody answers, and another goes on", async () => {
  const worker = (name: string) => new Child("crash/fleet-asker.ts", [database.url, name]);
  const hf = await openHoldfast({ database: database.url });
  try {
    const run = await hf.start(
      hf.agent("payer", () => {
        throw new Error("no worker runs here");
      }),
      undefined,
    );
    /** The one open question, once the run is parked for it. */
    const question = async (waitingOn: string) => {
      await expect
        .poll(async () => (await hf.runs.get(run.id)).waitingOn, { timeout: 20_000 })
        .toBe(waitingOn);
      const [{ id } = { id: "" }, ...more] = await hf.questions.list({ runId: run.id });
      expect(more).toEqual([]);
      return id;
    };

    const first = worker("first");
    const input = await question("input");
    await first.kill();
    // Nobody is there that could work on it, and nobody has to be.
    await hf.questions.answer(input, { value: 400, by: "ana" });
    expect(await run.status()).toBe("queued");

    const second = worker("second");
    const approval = await question("approval");
    await second.kill();
    expect([...first.lines, ...second.lines].map(({ at }) => at)).not.toContain("paid");
    await hf.questions.answer(approval, { approve: true, by: "ben" });

    const third = worker("third");
    expect(await run.result()).toEqual({ paid: 400, by: "third" });
    await third.kill();
    const kinds = (await run.entries()).map(({ kind }) => kind);
    expect(kinds.filter((kind) => kind === "question")).toHaveLength(2);
    expect(kinds.filter((kind) => kind === "intent")).toHaveLength(1);
  } finally {
    await hf.close();
  }
});
