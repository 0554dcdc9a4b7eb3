import { expect, test } from "vitest";
import { type Holdfast, once, step } from "../../src/index.ts";
import { outcomeOf } from "../agent.ts";
import { counter, forever, useHoldfast } from "../opened.ts";
import { eventually } from "../store.ts";

const { open, sql, stall } = useHoldfast();

/** A worker of this Holdfast that is at work. */
async function working(holdfast: Holdfast, options = {}) {
  const worker = holdfast.worker(options);
  await worker.start();
  return worker;
}

test("a worker does what was started, wherever it was started", async () => {
  const [starter, other] = [await open(), await open()];
  const run = await starter.start(starter.agent("greet", forever<string>), undefined);
  other.agent("greet", () => step("look", () => "hello"));
  await working(other);
  expect(await run.result()).toBe("hello");
  expect(await run.status()).toBe("succeeded");
  const kinds = (await run.entries()).map(({ kind }) => kind);
  expect(kinds).toEqual(["start", "takeover", "intent", "observation", "outcome"]);
});

test("all that is queued is drained, and each run done once", async () => {
  const holdfast = await open();
  const { calls, does } = counter();
  const agent = holdfast.agent("count", (i: number) => once(`do ${i}`, does(`${i}`, i)));
  const runs = await Promise.all(Array.from({ length: 60 }, (_, i) => holdfast.start(agent, i)));
  await Promise.all([
    working(holdfast, { concurrency: 7 }),
    working(await another("count", does), { concurrency: 7 }),
  ]);
  expect(await Promise.all(runs.map((run) => run.result()))).toEqual(runs.map((_, i) => i));
  expect(new Set(calls).size).toBe(60);
  expect(calls).toHaveLength(60);
});

async function another(name: string, does: (name: string, value: number) => () => number): Promise<Holdfast> {
  const holdfast = await open();
  holdfast.agent(name, (i: number) => once(`do ${i}`, does(`${i}`, i)));
  return holdfast;
}

test("what a handler throws is what its run fails with", async () => {
  const holdfast = await open();
  const run = await holdfast.start(
    holdfast.agent("fail", () => Promise.reject(new RangeError("too far"))),
    undefined,
  );
  await working(holdfast);
  await expect(run.result()).rejects.toMatchObject({ name: "RangeError", message: "too far" });
  expect(await run.status()).toBe("failed");
});

test("a value that is no data fails the run: nobody else could read it", async () => {
  const holdfast = await open();
  const run = await holdfast.start(
    holdfast.agent("fail", () => () => {}),
    undefined,
  );
  await working(holdfast);
  expect(await outcomeOf(run.result())).toBe("NOT_SERIALIZABLE");
});

test("runs of agents that a worker does not have are left to those who do", async () => {
  const [one, other] = [await open(), await open()];
  const theirs = await one.start(one.agent("theirs", forever<string>), undefined);
  const mine = await one.start(
    one.agent("mine", () => "mine"),
    undefined,
  );
  await working(one, { agents: ["mine"] });
  expect(await mine.result()).toBe("mine");
  expect(await theirs.status()).toBe("queued");
  other.agent("theirs", () => "theirs");
  await working(other);
  expect(await theirs.result()).toBe("theirs");
});

test("a worker that stops hands its runs back at once, and another goes on where they were", async () => {
  const [one, other] = [await open(), await open()];
  const { calls, does } = counter();
  const underWay = Promise.withResolvers<void>();
  const agent = one.agent("long", async () => {
    await once("first", does("first"));
    underWay.resolve();
    await step("second", forever, { effect: "read" });
  });
  const run = await one.start(agent, undefined);
  const worker = await working(one);
  await underWay.promise;
  await worker.stop({ graceSeconds: 0 });
  expect(await run.status()).toBe("queued");

  other.agent("long", async () => {
    await once("first", does("first"));
    return await step("second", does("second", "done"), { effect: "read" });
  });
  await working(other);
  expect(await run.result()).toBe("done");
  expect(calls).toEqual(["first", "second"]);
  expect((await one.runs.get(run.id)).attempts).toEqual({ crashes: 0, retries: 0, resumes: 0 });
  expect((await run.entries()).map((entry) => ("after" in entry ? entry.after : entry.kind))).toContain(
    "handover",
  );
});

test("runs of a worker whose time is over go on elsewhere, and it is fenced", async () => {
  const [one, other] = [await open(), await open()];
  const [underWay, freed] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const { calls, does } = counter();
  const agent = one.agent("slow", async () => {
    underWay.resolve();
    await freed.promise;
    return await once("charge", does("late", "by the first"));
  });
  const run = await one.start(agent, undefined);
  await working(one);
  await underWay.promise;
  await stall(run.id);
  other.agent("slow", () => once("charge", does("in time", "by the second")));
  await working(other);
  expect(await run.result()).toBe("by the second");
  freed.resolve();
  await eventually(
    async () => (await sql("select from holdfast.runs where leased_by is not null")).length === 0,
  );
  expect(calls).toEqual(["in time"]);
  expect((await one.runs.get(run.id)).attempts).toMatchObject({ crashes: 1 });
});

test("a process that claims again what it lost tells its two executions apart", async () => {
  const holdfast = await open();
  const [underWay, freed] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const { calls, does } = counter();
  let executions = 0;
  const agent = holdfast.agent("slow", async () => {
    const mine = ++executions;
    if (mine === 1) {
      underWay.resolve();
      await freed.promise;
    }
    return await once("charge", does(`${mine}`, mine));
  });
  const run = await holdfast.start(agent, undefined);
  await working(holdfast);
  await underWay.promise;
  // Somebody takes the run for dead: it is queued, and this very process claims it again.
  await sql(
    `with head as (
       update holdfast.runs set status = 'queued', queued_after = 'handover', leased_by = null, epoch = epoch + 1, appends = 0, seq = seq + 1
        where run_id = $1 returning run, seq, epoch)
     insert into holdfast.entries (run, seq, epoch, at, kind, body)
     select run, seq, epoch, now(), 'takeover', '{"worker":"witness:1","after":"crash"}' from head`,
    [run.id],
  );
  expect(await run.result()).toBe(2);
  freed.resolve();
  await new Promise((resolve) => setImmediate(resolve));
  expect(calls).toEqual(["2"]);
  const entries = await run.entries();
  expect(entries.map(({ seq }) => seq)).toEqual(entries.map((_, i) => i + 1));
});

test("an inline run is nobody's but its caller's", async () => {
  const holdfast = await open();
  holdfast.agent("mixed", () => "by a worker");
  await working(holdfast);
  const fleet = await holdfast.start(
    { name: "mixed", version: undefined, check: async (raw) => raw },
    undefined,
  );
  expect(await holdfast.run("inline-mixed", () => "by its caller", { agent: "mixed" })).toBe("by its caller");
  expect(await fleet.result()).toBe("by a worker");
  expect(await outcomeOf(holdfast.run(fleet.id, () => "by a caller"))).toBe("by a worker");
});

test("a worker is started once, with agents that there are", async () => {
  const holdfast = await open();
  holdfast.agent("greet", () => {});
  const worker = await working(holdfast);
  expect(await outcomeOf(worker.start())).toBe("INVALID_ARGUMENT");
  expect(await outcomeOf(holdfast.worker({ agents: ["none"] }).start())).toBe("INVALID_ARGUMENT");
  expect(() => holdfast.worker({ concurrency: 0 })).toThrow("(INVALID_ARGUMENT)");
  expect(() => holdfast.worker({ threads: 2 } as never)).toThrow("(INVALID_ARGUMENT)");
});
