import { expect, test } from "vitest";
import { type Holdfast, HoldfastError, type HoldfastOptions, step, usd } from "../src/index.ts";
import { outcomeOf, plans, port, told, tool } from "./agent.ts";
import { counter, forever, useHoldfast } from "./opened.ts";
import { ask, prices, used } from "./spending.ts";
import { newId } from "./store.ts";

const { open, leaveRun, interruptRun, stall } = useHoldfast();

/** A Holdfast whose runs may spend so many micro-dollars each. */
const withBudget = (perRun: number, more: HoldfastOptions = {}) =>
  open({ prices, budget: { perRun }, ...more });

const budgetOf = async (hf: Holdfast, id: string) => (await hf.runs.get(id)).budget;

/** Work that is under way, and never comes back. */
const leaving = (underWay: () => void) => () => {
  underWay();
  return forever<string>();
};

const error = async (calling: Promise<unknown>) => {
  const thrown = await calling.catch((error: unknown) => error);
  if (!HoldfastError.is(thrown)) throw new Error(`no error of Holdfast: ${String(thrown)}`);
  return thrown;
};

test("a model call's worst case is held by its intent, and its observation says what it cost", async () => {
  const hf = await withBudget(5000);
  const id = newId();
  let held: unknown;
  await hf.run(id, () =>
    ask("a", { max: 100, uses: 20 }, async () => {
      held = await budgetOf(hf, id);
    }),
  );
  expect(held).toMatchObject({ cap: 5000, spent: 0, held: 1000, left: 4000 });
  expect(await budgetOf(hf, id)).toMatchObject({ cap: 5000, spent: 200, held: 0, left: 4800, estimated: 0 });
  const entries = await hf.entries(id);
  expect(entries.find(({ kind }) => kind === "intent")).toMatchObject({
    call: "model",
    effect: "read",
    hold: 1000,
  });
  expect(entries.find(({ kind }) => kind === "observation")).toMatchObject({ cost: 200, usage: used(20) });
  expect((await budgetOf(hf, id)).models).toEqual({
    "acme/m": {
      calls: 1,
      inputTokens: 100,
      cachedInputTokens: 0,
      outputTokens: 20,
      reasoningTokens: 0,
      cost: 200,
    },
  });
});

test("a run has the budget that it was started with, over that of its Holdfast, and keeps it", async () => {
  const hf = await withBudget(5000);
  const id = newId();
  await outcomeOf(hf.run(id, () => Promise.reject(new Error("first try")), { budget: usd(0.001) }));
  await hf.run(id, () => ask("a", { max: 10 }), { budget: usd(9) });
  expect(await budgetOf(hf, id)).toMatchObject({ cap: 1000 });
});

test("without budgets and prices there is no intent for a model call, and no cost", async () => {
  const hf = await open();
  const id = newId();
  await hf.run(id, () => ask("a"));
  expect(await told(hf, id)).toEqual(["observation model#0", "outcome"]);
  expect(await budgetOf(hf, id)).toMatchObject({ cap: undefined, spent: 0, held: 0, left: undefined });
});

test("with prices alone costs are reckoned, and nothing is held or capped", async () => {
  const hf = await open({ prices });
  const id = newId();
  expect(await hf.run(id, () => ask("a", { uses: 20 }))).toBeUndefined();
  expect(await told(hf, id)).toEqual(["observation model#0", "outcome"]);
  expect(await budgetOf(hf, id)).toMatchObject({ cap: undefined, spent: 200 });
});

test("an answer is shortened to what is left", async () => {
  const hf = await withBudget(5000);
  const id = newId();
  const caps = await hf.run(id, async () => [
    await ask("a", { max: 400, uses: 300 }),
    await ask("b", { max: 400, uses: 100 }),
    await ask("c"),
  ]);
  expect(caps).toEqual([400, 200, 100]);
  expect(await budgetOf(hf, id)).toMatchObject({ spent: 4100 });
});

test("once not even the shortest answer fits, the run has failed, and nothing goes out", async () => {
  const hf = await withBudget(1000);
  const id = newId();
  const { calls, does } = counter();
  const run = hf.run(id, async () => {
    await ask("a", { max: 90, uses: 90 });
    await ask("b", {}, does("b")).catch(does("an error that the framework would show"));
  });
  expect(await error(run)).toMatchObject({
    code: "BUDGET_EXHAUSTED",
    details: { runId: id, step: "model#1", left: 100 },
  });
  expect(calls).toEqual([]);
  expect(await hf.runs.get(id)).toMatchObject({ status: "failed", error: { code: "BUDGET_EXHAUSTED" } });
});

test("where answers may not be shortened, one that does not fit fails the run", async () => {
  const hf = await withBudget(1000, { budget: { perRun: 1000, onLow: "fail" } });
  expect(await hf.run(newId(), () => ask("a"))).toBe(100); // it names no cap, and gets what there is
  expect(await error(hf.run(newId(), () => ask("a", { max: 101 })))).toMatchObject({
    code: "BUDGET_EXHAUSTED",
  });
});

test("calls side by side are held for one by one: the last one waits for what the first gives back", async () => {
  const hf = await withBudget(1000);
  const id = newId();
  let most = 0;
  const call = (prompt: string) =>
    ask(prompt, { max: 60, uses: 20 }, async () => {
      const { held, spent } = await budgetOf(hf, id);
      most = Math.max(most, held + spent);
    });
  await hf.run(id, () => Promise.all(["a", "b", "c", "d"].map(call)));
  expect(most).toBeLessThanOrEqual(1000);
  expect(await budgetOf(hf, id)).toMatchObject({ spent: 800, held: 0 });
});

test("a call inside a tool does not wait for the tool's own hold", async () => {
  const tools = { research: { effect: "idempotent", cost: () => 900 } } as const;
  const hf = await withBudget(1000, { tools });
  const run = hf.run(newId(), () => tool("research", {}, () => ask("a", { max: 20 }, () => forever())));
  expect(await error(run)).toMatchObject({ code: "BUDGET_EXHAUSTED" });
});

test("a tool's own money is held before the call, and counted as the model wrote it", async () => {
  const tools = {
    pay: { effect: "idempotent", cost: ({ cents }: { cents: number }) => usd(cents / 100) },
  } as const;
  const hf = await open({ tools, budget: { perRun: usd(10) } });
  const id = newId();
  const { calls, does } = counter();
  const run = hf.run(id, async () => {
    await tool("pay", { cents: 700 }, does("seven"));
    await tool("pay", { cents: 301 }, does("three and a cent"));
  });
  expect(await error(run)).toMatchObject({ code: "BUDGET_EXHAUSTED" });
  expect(calls).toEqual(["seven"]);
  expect(await budgetOf(hf, id)).toMatchObject({ spent: usd(7), held: 0, left: usd(3) });
});

test.each([[Number.NaN], [-1], [0.5], ["1"]])("a tool that costs %s is not called", async (cost) => {
  const hf = await open({ tools: { pay: { cost: () => cost as number } }, budget: { perRun: usd(1) } });
  const { calls, does } = counter();
  expect(await outcomeOf(hf.run(newId(), () => tool("pay", {}, does("paid"))))).toBe("INVALID_ARGUMENT");
  expect(calls).toEqual([]);
});

test("a tool that threw may have spent its money all the same", async () => {
  const hf = await open({ tools: { pay: { cost: () => 300 } }, budget: { perRun: usd(1) } });
  const id = newId();
  await hf.run(id, () => tool("pay", {}, () => Promise.reject(new Error("no"))).catch(() => {}));
  expect(await budgetOf(hf, id)).toMatchObject({ spent: 300, held: 0, estimated: 300 });
});

test("a run may be limited in tokens, and in calls of models and tools", async () => {
  const hf = await open({ prices });
  const id = newId();
  const twice = () => ask("a", { max: 100, uses: 20 }).then(() => ask("b"));
  await hf.run(id, twice, { budget: { tokens: 500 } });
  expect((await budgetOf(hf, id)).tokens).toEqual({ cap: 500, spent: 230, held: 0, left: 270 });
  const { calls, does } = counter();
  const limited = hf.run(
    newId(),
    async () => {
      await ask("a", {}, does("a"));
      await tool("look", {}, does("look"), { effect: "read" });
      await ask("b", {}, does("b"));
    },
    { budget: { calls: 2 } },
  );
  expect(await error(limited)).toMatchObject({ code: "BUDGET_EXHAUSTED" });
  expect(calls).toEqual(["a", "look"]);
});

test("a model without a known price is refused under a cap in money, or charged the default: never free", async () => {
  const hf = await withBudget(usd(1));
  const { calls, does } = counter();
  const refused = await error(hf.run(newId(), () => ask("a", { model: "unheard-of" }, does("asked"))));
  expect(refused).toMatchObject({ code: "INVALID_ARGUMENT" });
  expect(refused.message).toContain("acme/unheard-of");
  expect(calls).toEqual([]);
  const other = await withBudget(usd(1), {
    prices: { "*": { inputPerMillion: 0, outputPerMillion: usd(20) } },
  });
  const id = newId();
  await other.run(id, () => ask("a", { model: "unheard-of", uses: 5 }));
  expect(await budgetOf(other, id)).toMatchObject({ spent: 100 });
});

test("a model call that does not say what it may answer is refused under a budget", async () => {
  const hf = await withBudget(usd(1));
  expect(await outcomeOf(hf.run(newId(), () => plans("a")))).toBe("INVALID_ARGUMENT");
});

test("a model that is not paid by tokens alone is refused unless it has a price for a call", async () => {
  const draw = () =>
    port().step(
      {
        kind: "model",
        name: "acme/d",
        input: {},
        model: { provider: "acme", model: "d", maxOutputTokens: 0, isPaidByCall: true },
      },
      () => "a seal",
    );
  const perToken = { inputPerMillion: 1, outputPerMillion: 1 };
  const hf = await withBudget(usd(1), { prices: { d: perToken } });
  expect(await outcomeOf(hf.run(newId(), draw))).toBe("INVALID_ARGUMENT");
  const paid = await withBudget(usd(1), { prices: { d: { ...perToken, perCall: usd(0.04) } } });
  const id = newId();
  await paid.run(id, draw);
  expect((await budgetOf(paid, id)).spent).toBeGreaterThanOrEqual(usd(0.04));
});

test("a model without an output cap, where none can be set, is refused unless its price declares one", async () => {
  const call = () =>
    port().step(
      { kind: "model", name: "acme/m", input: {}, model: { provider: "acme", model: "m", isCapFixed: true } },
      () => "answer",
    );
  expect(await outcomeOf((await withBudget(usd(1))).run(newId(), call))).toBe("INVALID_ARGUMENT");
  const capped = { m: { inputPerMillion: 0, outputPerMillion: usd(10), maxOutputTokens: 100 } };
  const hf = await withBudget(usd(1), { prices: capped });
  const id = newId();
  expect(await hf.run(id, call)).toBe("answer");
  expect(await budgetOf(hf, id)).toMatchObject({ spent: 1000 });
});

test("what is on record is not counted again", async () => {
  const hf = await withBudget(5000);
  const id = await interruptRun(
    async (interrupt) => {
      await ask("a", { max: 100, uses: 20 });
      await step("b", () => 1, { effect: "idempotent" });
      await interrupt();
    },
    { prices, budget: { perRun: 5000 } },
  );
  const resumed = () =>
    ask("a", { max: 100, uses: 20 }).then(() => step("b", () => 2, { effect: "idempotent" }));
  expect(await hf.run(id, resumed)).toBe(1);
  expect(await hf.run(id, resumed)).toBe(1);
  expect(await budgetOf(hf, id)).toMatchObject({ spent: 200, held: 0 });
});

test("a model call cut off by a crash counts its hold as spent, marked as an estimate, and is asked anew", async () => {
  const options = { prices, budget: { perRun: 5000 } };
  const id = await leaveRun((underWay) => ask("a", { max: 100 }, leaving(underWay)), options);
  const hf = await open(options);
  expect(await budgetOf(hf, id)).toMatchObject({ spent: 0, held: 1000 });
  let atTakeover: unknown;
  await hf.run(id, () =>
    ask("a", { max: 100, uses: 20 }, async () => {
      atTakeover = await budgetOf(hf, id);
    }),
  );
  expect(atTakeover).toMatchObject({ spent: 1000, estimated: 1000, held: 1000 });
  expect(await budgetOf(hf, id)).toMatchObject({ spent: 1200, held: 0, estimated: 1000 });
  const after = (await told(hf, id)).filter((entry) => entry !== "takeover");
  expect(after).toEqual([
    "intent model#0",
    "note settled model#0",
    "intent model#0",
    "observation model#0",
    "outcome",
  ]);
});

test("what a crash may have cost is not there to be spent again", async () => {
  const options = { prices, budget: { perRun: 1500 } };
  const id = await leaveRun((underWay) => ask("a", { max: 100 }, leaving(underWay)), options);
  const hf = await open(options);
  expect(await hf.run(id, () => ask("a", { max: 100 }))).toBe(50);
});

test("a model call whose prompt changed after a crash is another call, not drift", async () => {
  const options = { prices, budget: { perRun: 5000 }, drift: "fail" } as const;
  const id = await leaveRun((underWay) => ask("at noon", { max: 100 }, leaving(underWay)), options);
  const hf = await open(options);
  expect(await hf.run(id, () => ask("at one", { max: 100 }))).toBe(100);
});

test("an idempotent call that goes out again after a crash is paid once", async () => {
  const options = {
    tools: { pay: { effect: "idempotent", cost: () => 300 } },
    budget: { perRun: 500 },
  } as const;
  const id = await leaveRun((underWay) => tool("pay", {}, leaving(underWay)), options);
  const hf = await open(options);
  expect(await hf.run(id, () => tool("pay", {}, () => "paid"))).toBe("paid");
  expect(await budgetOf(hf, id)).toMatchObject({ spent: 300, held: 0, estimated: 0 });
});

test("a read that is paid for is paid again where a crash cut it off", async () => {
  const options = { tools: { look: { effect: "read", cost: () => 300 } }, budget: { perRun: 1000 } } as const;
  const id = await leaveRun((underWay) => tool("look", {}, leaving(underWay)), options);
  const hf = await open(options);
  await hf.run(id, () => tool("look", {}, () => "seen"));
  expect(await budgetOf(hf, id)).toMatchObject({ spent: 600, held: 0, estimated: 300 });
});

test.each([
  [{ happened: "paid" }, 300],
  [{ didNotHappen: true as const }, 0],
])("a doubt holds its money until it is resolved: %j", async (resolved, spent) => {
  const options = { tools: { pay: { cost: () => 300 } }, budget: { perRun: 500 } };
  const id = await leaveRun((underWay) => tool("pay", {}, leaving(underWay)), options);
  const hf = await open(options);
  const run = () => hf.run(id, () => tool("pay", {}, () => "paid"));
  expect(await outcomeOf(run())).toBe("RUN_WAITING");
  expect(await budgetOf(hf, id)).toMatchObject({ spent: 0, held: 300 });
  const [doubt] = await hf.doubts.list({ runId: id });
  await hf.doubts.resolve(id, doubt?.step ?? "", resolved, { by: "ana" });
  expect(await budgetOf(hf, id)).toMatchObject({ spent, held: 0 });
  expect(await run()).toBe("paid");
  expect(await budgetOf(hf, id)).toMatchObject({ spent: 300, held: 0 });
});

test("a model call that failed gives its hold back where the provider turned it away, and else is an estimate", async () => {
  const hf = await withBudget(5000);
  const id = newId();
  const fails = (error: Error) => ask("a", { max: 100 }, () => Promise.reject(error)).catch(() => {});
  await hf.run(id, async () => {
    await fails(Object.assign(new Error("busy"), { statusCode: 503 }));
    await step("something that waits for all that was said", () => 1);
    expect(await budgetOf(hf, id)).toMatchObject({ spent: 0, held: 0 });
    await fails(new Error("socket hang up"));
    await ask("a", { max: 100, uses: 20 });
  });
  expect(await budgetOf(hf, id)).toMatchObject({ spent: 1200, held: 0, estimated: 1000 });
});

test("a stream that was aborted counts its input and what had come of it", async () => {
  const hf = await withBudget(5000);
  const id = newId();
  await hf.run(id, async () => {
    const begun = await port().begin({
      kind: "model",
      name: "acme/m",
      input: { prompt: "a" },
      model: { provider: "acme", model: "m", maxOutputTokens: 100 },
    });
    if (begun.at === "live") await begun.fail(new Error("stop"), { said: ["hello"] });
  });
  expect(await budgetOf(hf, id)).toMatchObject({ spent: 90, held: 0, estimated: 90 });
});

test("a model whose provider reports no usage is taken to have used what was held", async () => {
  const hf = await withBudget(5000);
  const id = newId();
  await hf.run(id, () =>
    port().step(
      {
        kind: "model",
        name: "acme/m",
        input: {},
        model: { provider: "acme", model: "m", maxOutputTokens: 100 },
      },
      () => "?",
    ),
  );
  expect(await budgetOf(hf, id)).toMatchObject({ spent: 1000, held: 0, estimated: 1000 });
});

test("a run that ends leaves nothing held: what its calls may have cost counts", async () => {
  const hf = await open({
    tools: { "*": { cost: () => 300, effect: "idempotent" } },
    budget: { perRun: 1000 },
  });
  const id = newId();
  const aborted = AbortSignal.abort(new Error("stop"));
  const run = hf.run(id, () =>
    tool("pay", {}, ({ signal }) => Promise.reject(signal.reason), { signal: aborted }).catch(() => {}),
  );
  expect(await outcomeOf(run)).toBe("stop");
  expect(await budgetOf(hf, id)).toMatchObject({ spent: 300, held: 0, estimated: 300 });
});

test("a call that was held for and did not go out gives its hold back", async () => {
  const hf = await withBudget(5000);
  const id = newId();
  const { calls, does } = counter();
  await outcomeOf(
    hf.run(id, async () => {
      const asking = ask("a", { max: 100 }, does("asked"));
      await stall(id);
      await asking;
    }),
  );
  const { spent, held } = await budgetOf(hf, id);
  expect(spent + held).toBe(calls.length > 0 ? 100 : 0);
});
