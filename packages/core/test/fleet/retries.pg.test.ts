import { expect, test } from "vitest";
import { once, step } from "../../src/index.ts";
import { outcomeOf, plans } from "../agent.ts";
import { counter, forever, useHoldfast } from "../opened.ts";
import { eventually } from "../store.ts";

const { open, sql, stall } = useHoldfast();

const isWaiting = async (id: string) =>
  (await sql("select from holdfast.runs where run_id = $1 and status = 'waiting'", [id])).length > 0;
const makeDue = (id: string) => sql("update holdfast.runs set run_at = now() where run_id = $1", [id]);

test("work that failed is tried again when its time comes, and does nothing of what it did again", async () => {
  const holdfast = await open();
  const { calls, does } = counter();
  let tries = 0;
  const agent = holdfast.agent(
    "flaky",
    async () => {
      await once("charge", does("charge"));
      if (++tries === 1) throw new Error("not yet");
      return tries;
    },
    { retry: { attempts: 3, firstMs: 3_600_000, longestMs: 3_600_000 } },
  );
  const run = await holdfast.start(agent, undefined);
  await holdfast.worker().start();
  await eventually(() => isWaiting(run.id));
  expect(await holdfast.runs.get(run.id)).toMatchObject({ status: "waiting", waitingOn: "timer" });
  expect((await run.entries()).at(-1)).toMatchObject({
    note: "failing",
    tries: 1,
    class: "tool",
    error: "Error: not yet",
  });
  await makeDue(run.id);
  expect(await run.result()).toBe(2);
  expect(calls).toEqual(["charge"]);
  expect((await holdfast.runs.get(run.id)).attempts).toEqual({ crashes: 0, retries: 1, resumes: 0 });
});

test("no secret in what failed is in the note that says so", async () => {
  const holdfast = await open();
  const agent = holdfast.agent(
    "leaking",
    () => {
      throw new Error("401 of https://ana:hunter2-secret@api.example, Authorization: Bearer hunter2-secret");
    },
    { retry: { attempts: 2, firstMs: 0, longestMs: 0 } },
  );
  const run = await holdfast.start(agent, undefined);
  await holdfast.worker().start();
  await expect(run.result()).rejects.toThrow("401 of");
  const entries = await run.entries();
  expect(entries.find((entry) => entry.kind === "note" && entry.note === "failing")).toMatchObject({
    error: "Error: 401 of https://[redacted]@api.example, Authorization: [redacted]",
  });
  expect(JSON.stringify(entries)).not.toContain("hunter2");
});

test("a run whose tries are used up has failed, and is a dead letter until it is redriven", async () => {
  const holdfast = await open();
  let mended = false;
  const agent = holdfast.agent(
    "broken",
    (input: string) => {
      if (!mended) throw new TypeError("broken");
      return input;
    },
    { retry: { attempts: 2, firstMs: 0, longestMs: 0 } },
  );
  const run = await holdfast.start(agent, "first");
  await holdfast.worker().start();
  await expect(run.result()).rejects.toThrow("broken");
  const [letter] = await holdfast.deadLetters.list({ agent: "broken" });
  expect(letter).toMatchObject({
    id: run.id,
    status: "failed",
    error: { name: "TypeError", message: "broken" },
  });
  const { entries } = await holdfast.deadLetters.get(run.id, { last: 1 });
  expect(entries).toMatchObject([{ kind: "outcome", status: "failed" }]);

  mended = true;
  await holdfast.redrive(run.id, { input: "second", by: "ana" });
  expect(await run.result()).toBe("second");
  expect(await holdfast.deadLetters.list({ agent: "broken" })).toEqual([]);
  const view = await holdfast.runs.get(run.id);
  expect(view).toMatchObject({ input: "second", attempts: { crashes: 0, retries: 1, resumes: 0 } });
  expect((await run.entries()).filter(({ kind }) => kind === "outcome")).toHaveLength(2);
  expect(await outcomeOf(holdfast.redrive(run.id))).toBe("COMMAND_NOT_ALLOWED");
});

test("a redrive asks the model anew after its last effect, and never makes the effect again", async () => {
  const holdfast = await open();
  const { calls, does } = counter();
  let answers = 0;
  const agent = holdfast.agent("model", async () => {
    await once("charge", does("charge"));
    await plans(`ask ${++answers}`);
    if (answers < 2) throw new Error("the answer was bad");
    return answers;
  });
  const run = await holdfast.start(agent, undefined);
  await holdfast.worker().start();
  await expect(run.result()).rejects.toThrow("bad");
  await holdfast.redrive([run.id]);
  expect(await run.result()).toBe(2);
  expect(calls).toEqual(["charge"]);
});

test("an error that another try would not mend is not tried again", async () => {
  const holdfast = await open();
  const { calls, does } = counter();
  const agent = holdfast.agent(
    "denied",
    async () => {
      does("work")();
      throw Object.assign(new Error("bad request"), { statusCode: 400 });
    },
    { retry: { attempts: 5, firstMs: 0 } },
  );
  const run = await holdfast.start(agent, undefined);
  await holdfast.worker().start();
  expect(await outcomeOf(run.result())).toBe("bad request");
  expect(calls).toEqual(["work"]);
});

test("a run that kills its worker again and again is dead, and its ledger says why", async () => {
  const holdfast = await open();
  const poison = await open();
  const agent = poison.agent("poison", forever<void>);
  const run = await poison.start(agent, undefined, { maxAttempts: 2 });
  await holdfast.run("beating", () => 1);
  holdfast.agent("other", () => {});
  await holdfast.worker().start();
  for (let crashes = 1; crashes <= 2; crashes++) {
    const worker = (await open()) as typeof poison;
    worker.agent("poison", forever<void>);
    await worker.worker().start();
    await eventually(
      async () =>
        (await sql("select from holdfast.runs where run_id = $1 and leased_by is not null", [run.id]))
          .length > 0,
    );
    // It is killed: its time is over, and it does not beat again.
    await stall(run.id);
    await eventually(
      async () =>
        (await sql("select from holdfast.runs where run_id = $1 and crashes = $2", [run.id, crashes]))
          .length > 0,
    );
    if (crashes < 2) await worker.close({ graceSeconds: 0 });
  }
  await expect(run.result()).rejects.toMatchObject({ code: "RUN_DEAD" });
  expect((await holdfast.runs.get(run.id)).error).toMatchObject({ code: "RUN_DEAD" });
  expect((await run.entries()).at(-1)).toMatchObject({
    kind: "outcome",
    status: "dead",
    reason: "its workers died 2 times in a row without a new observation",
  });
  expect(await holdfast.deadLetters.list({ agent: "poison" })).toMatchObject([
    { id: run.id, status: "dead" },
  ]);
});

test("seven waits are no crashes", async () => {
  const holdfast = await open();
  const { sleep } = await import("../../src/index.ts");
  const agent = holdfast.agent("patient", async () => {
    for (let i = 0; i < 7; i++) await sleep(1_100 + i);
    return "rested";
  });
  const run = await holdfast.start(agent, undefined, { maxAttempts: 1 });
  await holdfast.worker().start();
  for (let waits = 1; waits <= 7; waits++) {
    await eventually(() => isWaiting(run.id));
    await sql(`update holdfast.runs set run_at = now() where run_id = $1 and status = 'waiting'`, [run.id]);
    await eventually(async () => (await holdfast.runs.get(run.id)).attempts.resumes >= waits);
  }
  expect(await run.result()).toBe("rested");
  expect((await holdfast.runs.get(run.id)).attempts).toMatchObject({ crashes: 0, retries: 0 });
}, 30_000);

test("a run may take so many steps over all its tries, and not one more", async () => {
  const holdfast = await open();
  const { calls, does } = counter();
  const agent = holdfast.agent(
    "eager",
    async () => {
      for (let i = 0; ; i++) await step(`look ${i}`, does(`${i}`));
    },
    { maxSteps: 3 },
  );
  const run = await holdfast.start(agent, undefined);
  await holdfast.worker().start();
  await expect(run.result()).rejects.toMatchObject({ code: "TOO_MANY_STEPS", details: { limit: 3 } });
  expect(calls).toEqual(["0", "1", "2"]);
});

test("an inline run may take so many steps over all its executions", async () => {
  const holdfast = await open();
  const { calls, does } = counter();
  let failing = true;
  const work = async () => {
    await once("first", does("first"));
    if (failing) throw new Error("not yet");
    await once("second", does("second"));
    await once("third", does("third"));
  };
  expect(await outcomeOf(holdfast.run("stepping", work, { maxSteps: 2 }))).toBe("not yet");
  failing = false;
  expect(await outcomeOf(holdfast.run("stepping", work, { maxSteps: 2 }))).toBe("TOO_MANY_STEPS");
  expect(calls).toEqual(["first", "second"]);
  await holdfast.run("stepping", work, { maxSteps: 3 });
  expect(calls).toEqual(["first", "second", "third"]);
  expect(await outcomeOf(holdfast.run("none", work, { maxSteps: 0 }))).toBe("INVALID_ARGUMENT");
});

test("a run is worked on for so long, and not a moment longer", async () => {
  const holdfast = await open();
  const agent = holdfast.agent("slow", () => step("look", forever<void>, { effect: "read" }), {
    timeoutMs: 50,
  });
  const run = await holdfast.start(agent, undefined);
  await holdfast.worker().start();
  await expect(run.result()).rejects.toMatchObject({ code: "TIMED_OUT", details: { timeoutMs: 50 } });
});

test("the time that a run waits is not the time that it is worked on", async () => {
  const holdfast = await open();
  const { sleep } = await import("../../src/index.ts");
  const agent = holdfast.agent("patient", () => sleep("1h"), { timeoutMs: 60_000 });
  const run = await holdfast.start(agent, undefined);
  const worker = holdfast.worker();
  await worker.start();
  await eventually(() => isWaiting(run.id));
  // As if it had slept its hour.
  await sql("alter table holdfast.entries disable trigger entries_append_only");
  await sql(
    `update holdfast.entries set at = at - interval '1 hour', value = case when step = 'sleep#0' then replace(value, value, 'devalue:[["Date","2020-01-01T00:00:00.000Z"]]') else value end
      where run = (select run from holdfast.runs where run_id = $1)`,
    [run.id],
  );
  await sql("alter table holdfast.entries enable trigger entries_append_only");
  await makeDue(run.id);
  expect(await run.result()).toBeUndefined();
});
