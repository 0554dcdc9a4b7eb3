import { expect, test } from "vitest";
import { ask, type Holdfast, HoldfastError, type HoldfastOptions } from "../../src/index.ts";
import { must } from "../../src/must.ts";
import { answer, tool } from "../governed.ts";
import { counter, forever, useHoldfast } from "../opened.ts";
import { eventually } from "../store.ts";

const { open, sql } = useHoldfast();
const policy: HoldfastOptions["policy"] = [{ tool: "pay", then: "ask" }];

/** A Holdfast whose one place is for runs of the agents that are given. */
async function working(
  agents: Record<string, (input: never) => unknown>,
  options: HoldfastOptions = {},
): Promise<Holdfast> {
  const holdfast = await open(options);
  for (const [name, handler] of Object.entries(agents)) holdfast.agent(name, handler as () => unknown);
  await holdfast.worker({ concurrency: 1 }).start();
  return holdfast;
}

/** Starts a run of an agent that other processes have. */
async function start(name: string) {
  const holdfast = await open();
  return await holdfast.start(holdfast.agent(name, forever<unknown>), undefined);
}

/** The run's open questions, once it is parked for them: nobody holds its lease. */
async function parkedFor(runId: string, waitingOn: string) {
  const parked = `select from holdfast.runs
                   where run_id = $1 and status = 'waiting' and waiting_on = $2 and leased_by is null`;
  await eventually(async () => (await sql(parked, [runId, waitingOn])).length === 1);
  return await (await open()).questions.list({ runId });
}

test("a run of the fleet that asks gives its place and its lease back, and whoever has a place then goes on with it", async () => {
  const { calls, does } = counter();
  const agents = {
    asker: async () => {
      does("asked")();
      return `to ${await ask<string>({ question: "Where to?" })}`;
    },
    other: () => "done meanwhile",
  };
  const first = await working(agents);
  const run = await start("asker");
  const [question] = await parkedFor(run.id, "input");
  expect(await (await start("other")).result()).toBe("done meanwhile"); // its place is free
  await first.close({ graceSeconds: 0 });

  // Somebody answers who has neither the agent nor a worker: the run is queued, and waits for a place.
  await (await open()).questions.answer(must(question, "a question").id, { value: "Bergen", by: "ana" });
  expect(await run.status()).toBe("queued");
  await working(agents);
  expect(await run.result()).toBe("to Bergen");
  expect(calls).toEqual(["asked", "asked"]);
  expect((await run.entries()).filter(({ kind }) => kind === "question")).toHaveLength(1);
});

test("a call of the fleet that policy asks about goes out once, by the worker that goes on after the answer", async () => {
  const { calls, does } = counter();
  const agent = (worker: string) => ({
    payer: async () => {
      await answer([{ id: "1", name: "pay", input: { cents: 5 } }]);
      return await tool("pay", { cents: 5 }, does(worker, worker), { id: "1" });
    },
  });
  const first = await working(agent("first"), { policy });
  const run = await start("payer");
  const [question] = await parkedFor(run.id, "approval");
  expect(question).toMatchObject({ name: "pay", input: { cents: 5 } });
  await first.close({ graceSeconds: 0 });
  await (await open()).questions.answer(must(question, "a question").id, { approve: true, by: "ana" });
  await working(agent("second"), { policy });
  expect(await run.result()).toBe("second");
  expect(calls).toEqual(["second"]);
  expect((await run.entries()).flatMap((entry) => (entry.kind === "takeover" ? [entry.after] : []))).toEqual([
    "start",
    "wait",
  ]);
});

test("a run of the fleet that nobody answers goes on by itself once its time is over", async () => {
  const agents = {
    patient: () =>
      ask({ question: "Where to?", expiresIn: "1d" }).catch((error: unknown) =>
        HoldfastError.is(error, "QUESTION_EXPIRED") ? "nobody said" : Promise.reject(error as Error),
      ),
  };
  await working(agents, { leaseSeconds: 1 });
  const run = await start("patient");
  const [question] = await parkedFor(run.id, "input");
  await sql("update holdfast.questions set expires_at = now() where question = $1", [
    must(question, "a question").id,
  ]);
  expect(await run.result()).toBe("nobody said");
});
