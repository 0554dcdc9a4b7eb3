import { expect, test } from "vitest";
import { type HoldfastOptions, type Limit, usd } from "../src/index.ts";
import { port } from "./agent.ts";
import { answer, tool } from "./governed.ts";
import { counter, forever, useHoldfast } from "./opened.ts";
import { newId } from "./store.ts";

const { open, sql, interruptRun } = useHoldfast();

const limited = (limit: Limit, name: string, then: "deny" | "ask" = "deny"): HoldfastOptions => ({
  policy: [{ name, tool: "pay", limit, then }],
});

/** Tries to pay: `paid`, or `denied`. */
const pay = (n: number, does: () => unknown = () => "paid") =>
  tool("pay", { n }, does).then(
    () => "paid",
    (error: { code?: string }) => (error.code === "POLICY_DENIED" ? "denied" : error),
  );

async function inTurn(times: number): Promise<unknown[]> {
  const told = [];
  for (let n = 0; n < times; n++) told.push(await pay(n));
  return told;
}

test("a limit of a run denies the calls beyond it, and counts those that were made before a restart", async () => {
  const options = limited({ atMost: 3, per: "run" }, "a");
  const id = await interruptRun(async (interrupt) => {
    expect(await inTurn(2)).toEqual(["paid", "paid"]);
    await interrupt();
  }, options);
  const holdfast = await open(options);
  expect(await holdfast.run(id, () => inTurn(5))).toEqual(["paid", "paid", "paid", "denied", "denied"]);
  expect((await holdfast.entries(id)).find(({ kind }) => kind === "refusal")).toMatchObject({
    reason: "at most 3 calls a run go out",
  });
});

test("a limit of a run holds among calls of one answer, though none of them has gone out when they are decided", async () => {
  const holdfast = await open(limited({ atMost: 2, per: "run" }, "b"));
  const { calls, does } = counter();
  const told = await holdfast.run(newId(), async () => {
    const ids = ["1", "2", "3", "4"];
    await answer(ids.map((id) => ({ id, name: "pay", input: `{"n":${id}}` })));
    return await Promise.all(
      ids.map((id) =>
        tool("pay", { n: Number(id) }, does(id), { id }).then(
          () => "paid",
          () => "denied",
        ),
      ),
    );
  });
  expect(told).toEqual(["paid", "paid", "denied", "denied"]);
  expect(calls).toEqual(["1", "2"]);
});

test("a limit of a window is reached by calls of one answer that have yet to go out: what is beyond it is asked at once", async () => {
  const [id, holdfast] = [newId(), await open(limited({ atMost: 1, per: "hour" }, "l", "ask"))];
  let asked: unknown[] = [];
  await holdfast.run(id, async () => {
    await answer(["1", "2"].map((n) => ({ id: n, name: "pay", input: `{"n":${n}}` })));
    await tool("pay", { n: 1 }, async () => (asked = await holdfast.questions.list({ runId: id })), {
      id: "1",
    });
  });
  expect(asked).toMatchObject([{ input: { n: 2 } }]);
});

test("a limit of a run holds among calls side by side that no answer asks for, in one lane and in several", async () => {
  const holdfast = await open(limited({ atMost: 1, per: "run" }, "side by side"));
  const { calls, does } = counter();
  const beside = (n: number) => pay(n, does("paid"));
  const told = await holdfast.run(newId(), () => Promise.all([beside(1), beside(2), beside(3)]));
  expect(told).toEqual(["paid", "denied", "denied"]);
  const lanes = ["a", "b"].map((name, n) => () => port().lane(name, () => beside(n)));
  expect(await holdfast.run(newId(), () => Promise.all(lanes.map((lane) => lane())))).toEqual([
    "paid",
    "denied",
  ]);
  expect(calls).toHaveLength(2);
});

test("a limit of a window is shared by all runs with one tag, and by no others", async () => {
  const holdfast = await open(limited({ atMost: 2, per: "hour", tag: "tenant:*" }, "c"));
  const run = (...tags: string[]) => holdfast.run(newId(), () => inTurn(1), { tags });
  const acme = [await run("eu", "tenant:acme"), await run("tenant:acme"), await run("tenant:acme", "eu")];
  expect(acme.flat()).toEqual(["paid", "paid", "denied"]);
  expect(await run("tenant:globex")).toEqual(["paid"]);
  // Those that have no such tag are counted together.
  expect([await run("eu"), await run(), await run()].flat()).toEqual(["paid", "paid", "denied"]);
});

test("a limit of a window is not passed by workers that race", async () => {
  const options = limited({ atMost: 10, per: "day" }, "d");
  const workers = await Promise.all(Array.from({ length: 4 }, () => open(options)));
  const { calls, does } = counter();
  const runs = workers.flatMap((holdfast) =>
    Array.from({ length: 8 }, () =>
      holdfast.run(newId(), () => Promise.all([pay(1, does("paid")), pay(2, does("paid"))])),
    ),
  );
  const told = (await Promise.all(runs)).flat();
  expect(calls).toHaveLength(10);
  expect(told.filter((one) => one === "paid")).toHaveLength(10);
  expect(told.filter((one) => one === "denied")).toHaveLength(54);
});

test("a limit of a window is not passed where calls also hold money in a budget that is shared", async () => {
  const shared: HoldfastOptions = {
    ...limited({ atMost: 3, per: "day" }, "e"),
    tools: { pay: { cost: () => usd(0.01) } },
    budgets: [{ scope: { tag: "tenant:acme" }, per: "day", cap: usd(50) }],
  };
  const workers = await Promise.all([open(shared), open(shared)]);
  const runs = workers.flatMap((holdfast) =>
    Array.from({ length: 4 }, () => holdfast.run(newId(), () => inTurn(1), { tags: ["tenant:acme"] })),
  );
  expect((await Promise.all(runs)).flat().filter((one) => one === "paid")).toHaveLength(3);
});

/** As if so many slots of its window had passed since the rule's calls were counted. */
const slotsLater = (rule: string, slots: number) =>
  sql("update holdfast.counts set slot = slot - $2 where rule = $1", [rule, slots]);

test.each(["minute", "hour", "day"] as const)(
  "a limit of a window holds in every %s, whenever it begins: a call counts for as long, and a slot longer",
  async (per) => {
    const holdfast = await open(limited({ atMost: 3, per }, `f ${per}`));
    const tried = async (times: number) => await holdfast.run(newId(), () => inTurn(times));
    expect(await tried(2)).toEqual(["paid", "paid"]);
    await slotsLater(`f ${per}`, 40);
    expect(await tried(2)).toEqual(["paid", "denied"]);
    await slotsLater(`f ${per}`, 15); // a slot of a minute is a second: it may pass meanwhile
    expect(await tried(1)).toEqual(["denied"]);
    await slotsLater(`f ${per}`, 10);
    expect(await tried(3)).toEqual(["paid", "paid", "denied"]);
    await slotsLater(`f ${per}`, 1000);
    expect(await tried(4)).toEqual(["paid", "paid", "paid", "denied"]);
  },
);

test("a call is counted where the clock of whoever counted before it was ahead", async () => {
  const holdfast = await open(limited({ atMost: 2, per: "hour" }, "ahead"));
  expect(await holdfast.run(newId(), () => inTurn(1))).toEqual(["paid"]);
  await slotsLater("ahead", -2);
  expect(await holdfast.run(newId(), () => inTurn(2))).toEqual(["paid", "denied"]);
});

test("slots that the window has left are forgotten, the newest last", async () => {
  const counts = "array_cat(array[1, 2, 3], array_fill(0, array[58]))";
  for (const [slots, first, left] of [
    [-1, [1, 2, 3], 6],
    [0, [1, 2, 3], 6],
    [1, [2, 3, 0], 5],
    [2, [3, 0, 0], 3],
    [60, [0, 0, 0], 0],
    [61, [0, 0, 0], 0],
    [1e12, [0, 0, 0], 0],
  ] as const) {
    const [row] = await sql(
      `select (holdfast.slid(${counts}, $1))[:3] as first, cardinality(holdfast.slid(${counts}, $1)) as slots,
              holdfast.counted(${counts}, $1)::int as left`,
      [slots],
    );
    expect(row).toEqual({ first, slots: 61, left });
  }
});

test("a rule that is given another window counts anew", async () => {
  const tried = async (per: "hour" | "day") =>
    await (await open(limited({ atMost: 1, per }, "other"))).run(newId(), () => inTurn(1));
  expect([await tried("hour"), await tried("hour"), await tried("day")].flat()).toEqual([
    "paid",
    "denied",
    "paid",
  ]);
});

test("a call that goes out again under its key counts once", async () => {
  const options = limited({ atMost: 2, per: "day" }, "g");
  const settings = { ...options, tools: { pay: { effect: "idempotent" as const } } };
  const [id, first] = [newId(), await open(settings)];
  const underWay = Promise.withResolvers<void>();
  first
    .run(id, () =>
      pay(1, () => {
        underWay.resolve();
        return forever();
      }),
    )
    .catch(() => {});
  await underWay.promise;
  await first.close({ graceSeconds: 0 });
  expect(await (await open(settings)).run(id, () => pay(1))).toBe("paid");
  expect(await countOf("g")).toBe(1);
});

/** A run whose payment is counted by the rule and then waits for its budget. Gives back what lets it go on, after others have paid. */
async function countedAndWaiting(rule: string) {
  const options: HoldfastOptions = {
    ...limited({ atMost: 1, per: "day", tag: "tenant:*" }, rule),
    tools: { pay: { cost: () => usd(2) } },
    budget: { onLow: "park" },
    budgets: [{ scope: { tag: `tenant:${rule}` }, per: "month", cap: usd(3) }],
  };
  const [id, tags, holdfast] = [newId(), [`tenant:${rule}`], await open(options)];
  await holdfast.run(newId(), () => pay(0), { tags });
  await slotsLater(rule, 61);
  await expect(holdfast.run(id, () => pay(1), { tags })).rejects.toThrow("(RUN_WAITING)");
  return async (others = 0) => {
    await sql("update holdfast.budgets set spent_micros = 0 where scope = $1", [`tag:tenant:${rule}`]);
    for (let n = 0; n < others; n++) await holdfast.run(newId(), () => pay(0), { tags });
    await sql("update holdfast.runs set run_at = now() where run_id = $1", [id]);
    return await holdfast.run(id, async () => [await pay(1), await pay(2)]);
  };
}

async function countOf(rule: string): Promise<number | undefined> {
  const counted = "select holdfast.counted(used, 0)::int as n from holdfast.counts where rule = $1";
  const [row] = await sql<{ n: number }>(counted, [rule]);
  return row?.n;
}

test("a call that was counted and then waited for its budget is not held back by its own count", async () => {
  const goOn = await countedAndWaiting("i");
  expect(await countOf("i")).toBe(1);
  expect(await goOn()).toEqual(["paid", "denied"]);
  expect(await countOf("i")).toBe(1);
});

/** What was counted under the rule is a day old, and so is the note of it. */
async function aDayLater(rule: string) {
  await slotsLater(rule, 61);
  await sql("alter table holdfast.entries disable trigger entries_append_only");
  await sql(`update holdfast.entries set at = at - interval '25 hours' where kind = 'note'`);
  await sql("alter table holdfast.entries enable trigger entries_append_only");
}

test("a call that was counted in a window that is over counts in the one that it goes out in", async () => {
  const goOn = await countedAndWaiting("j");
  await aDayLater("j");
  expect(await goOn()).toEqual(["paid", "denied"]);
  expect(await countOf("j")).toBe(1);
});

test("a call that was counted in a window that is over has no place in one that others have used up", async () => {
  const goOn = await countedAndWaiting("k");
  await aDayLater("k");
  expect(await goOn(1)).toEqual(["denied", "denied"]);
});

test("beyond a limit a person may let a call through", async () => {
  const [id, holdfast] = [newId(), await open(limited({ atMost: 1, per: "run" }, "h", "ask"))];
  await expect(holdfast.run(id, () => inTurn(2))).rejects.toThrow("(RUN_WAITING)");
  const [question] = await holdfast.questions.list({ runId: id });
  expect(question).toMatchObject({ input: { n: 1 } });
  await holdfast.questions.answer(question?.id ?? "", { approve: true, by: "ana" });
  expect(await holdfast.run(id, () => inTurn(2))).toEqual(["paid", "paid"]);
});
