import { expect, test } from "vitest";
import { type HoldfastOptions, type Limit, usd } from "../src/index.ts";
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

test("a limit of a window begins anew with the next one", async () => {
  const holdfast = await open(limited({ atMost: 1, per: "minute" }, "f"));
  expect(await holdfast.run(newId(), () => inTurn(2))).toContain("denied");
  await sql("update holdfast.counts set since = since - interval '1 minute' where rule = 'f'");
  expect(await holdfast.run(newId(), () => inTurn(1))).toEqual(["paid"]);
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
  expect(await sql("select used from holdfast.counts where rule = 'g'")).toEqual([{ used: 1 }]);
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
  await sql("update holdfast.counts set used = 0 where rule = $1", [rule]);
  await expect(holdfast.run(id, () => pay(1), { tags })).rejects.toThrow("(RUN_WAITING)");
  return async (others = 0) => {
    await sql("update holdfast.budgets set spent_micros = 0 where scope = $1", [`tag:tenant:${rule}`]);
    for (let n = 0; n < others; n++) await holdfast.run(newId(), () => pay(0), { tags });
    await sql("update holdfast.runs set run_at = now() where run_id = $1", [id]);
    return await holdfast.run(id, async () => [await pay(1), await pay(2)]);
  };
}

const countsOf = (rule: string) =>
  sql("select used from holdfast.counts where rule = $1 order by since", [rule]);

test("a call that was counted and then waited for its budget is not held back by its own count", async () => {
  const goOn = await countedAndWaiting("i");
  expect(await countsOf("i")).toEqual([{ used: 1 }]);
  expect(await goOn()).toEqual(["paid", "denied"]);
  expect(await countsOf("i")).toEqual([{ used: 1 }]);
});

/** What was counted under the rule is a day old, and so is the note of it. */
async function aDayLater(rule: string) {
  await sql("update holdfast.counts set since = since - interval '1 day' where rule = $1", [rule]);
  await sql("alter table holdfast.entries disable trigger entries_append_only");
  await sql(`update holdfast.entries set at = at - interval '1 day' where kind = 'note'`);
  await sql("alter table holdfast.entries enable trigger entries_append_only");
}

test("a call that was counted in a window that is over counts in the one that it goes out in", async () => {
  const goOn = await countedAndWaiting("j");
  await aDayLater("j");
  expect(await goOn()).toEqual(["paid", "denied"]);
  expect(await countsOf("j")).toEqual([{ used: 1 }, { used: 1 }]);
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
