import { expect, test } from "vitest";
import { z } from "zod";
import { outcomeOf } from "../agent.ts";
import { useHoldfast } from "../opened.ts";
import { newId } from "../store.ts";

const { open, sql } = useHoldfast();

const count = async (key: string) => (await sql("select from holdfast.runs where key = $1", [key])).length;

test("a run that is started is queued, with its input and what it was started with", async () => {
  const holdfast = await open();
  const agent = holdfast.agent("greet", (name: string) => `hello ${name}`, { version: "7" });
  const run = await holdfast.start(agent, "ana", { key: newId(), priority: 5, tags: ["tenant:acme"] });
  expect(await run.status()).toBe("queued");
  expect(await holdfast.runs.get(run.id)).toMatchObject({
    agent: "greet",
    version: "7",
    input: "ana",
    tags: ["tenant:acme"],
    seq: 1,
    epoch: 0,
  });
  expect(await run.entries()).toMatchObject([{ kind: "start", agent: "greet", inline: false, input: "ana" }]);
});

test("eighty that start one key at once get one run", async () => {
  const starters = await Promise.all(Array.from({ length: 4 }, () => open()));
  const key = newId();
  const agents = starters.map((holdfast) => holdfast.agent("greet", () => {}));
  const runs = await Promise.all(
    Array.from({ length: 80 }, async (_, i) => {
      const [holdfast, agent] = [starters[i % 4], agents[i % 4]];
      if (!holdfast || !agent) throw new Error("there are four");
      return await holdfast.start(agent, { ticket: 42 }, { key });
    }),
  );
  expect(new Set(runs.map(({ id }) => id)).size).toBe(1);
  expect(await count(key)).toBe(1);
});

test("a key with another input is another piece of work, and refused", async () => {
  const holdfast = await open();
  const agent = holdfast.agent<unknown, void>("greet", () => {});
  const key = newId();
  const run = await holdfast.start(agent, { ticket: 42, at: "noon" }, { key });
  expect((await holdfast.start(agent, { at: "noon", ticket: 42 }, { key })).id).toBe(run.id);
  await expect(holdfast.start(agent, { ticket: 43 }, { key })).rejects.toMatchObject({
    code: "RUN_EXISTS_DIFFERENT",
    details: { runId: run.id, differs: "input" },
  });
  const other = holdfast.agent<unknown, void>("part", () => {});
  expect((await holdfast.start(other, { ticket: 43 }, { key })).id).not.toBe(run.id);
});

test("an input is checked, and made what the schema makes of it, before anything is queued", async () => {
  const holdfast = await open();
  const input = z.object({ cents: z.int(), currency: z.string().default("EUR") });
  const agent = holdfast.agent("refund", ({ cents, currency }) => `${cents} ${currency}`, { input });
  const run = await holdfast.start(agent, { cents: 5 });
  expect(await holdfast.runs.get(run.id)).toMatchObject({ input: { cents: 5, currency: "EUR" } });
  const key = newId();
  await expect(holdfast.start(agent, { cents: 0.5 }, { key })).rejects.toMatchObject({
    code: "INVALID_ARGUMENT",
    message: expect.stringContaining("cents"),
  });
  expect(await count(key)).toBe(0);
});

test("a queue that is full takes no more, however many start at once, but finds what it has", async () => {
  const holdfast = await open({ queueLimit: 3 });
  await sql(
    "update holdfast.runs set status = 'cancelled', waiting_on = null, finished_at = now() where status = 'queued'",
  );
  const agent = holdfast.agent("greet", () => {});
  const started = await Promise.all(
    Array.from({ length: 12 }, (_, i) => outcomeOf(holdfast.start(agent, undefined, { key: `full-${i}` }))),
  );
  expect(started.filter((outcome) => outcome === "QUEUE_FULL")).toHaveLength(9);
  const [{ key } = { key: "" }] = await sql<{ key: string }>(
    "select key from holdfast.runs where status = 'queued'",
  );
  expect(await outcomeOf(holdfast.start(agent, undefined, { key }))).toHaveProperty("id");
});

test.each([
  ["an option that there is not", { prio: 1 } as never],
  ["a priority that is none", { priority: 0.5 }],
  ["a time that is none", { runAt: new Date(Number.NaN) }],
  ["no attempts", { maxAttempts: 0 }],
  ["an empty key", { key: "" }],
  ["a pin to a version that it has not", { pin: true }],
])("%s is refused", async (_, options) => {
  const holdfast = await open();
  const agent = holdfast.agent("greet", () => {});
  expect(await outcomeOf(holdfast.start(agent, undefined, options))).toBe("INVALID_ARGUMENT");
});

test("a start both at a time and after others is refused", async () => {
  const holdfast = await open();
  const agent = holdfast.agent("greet", () => {});
  const one = await holdfast.start(agent, undefined);
  const both = { after: [one], runAt: new Date() };
  expect(await outcomeOf(holdfast.start(agent, undefined, both))).toBe("INVALID_ARGUMENT");
});

test.each([
  ["without a name", "", {}],
  ["with a concurrency of none", "greet", { concurrency: 0 }],
  ["with an option that there is not", "greet", { retries: 3 } as never],
  ["with a retry that is none", "greet", { retry: { attempts: 0 } }],
  ["with an empty version", "greet", { version: "" }],
])("an agent %s is refused", async (_, name, options) => {
  const holdfast = await open();
  expect(() => holdfast.agent(name, () => {}, options)).toThrow("(INVALID_ARGUMENT)");
});

test("an agent is registered once a process", async () => {
  const holdfast = await open();
  holdfast.agent("greet", () => {});
  expect(() => holdfast.agent("greet", () => {})).toThrow("(INVALID_ARGUMENT)");
});
