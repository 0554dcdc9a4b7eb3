import { expect, test } from "vitest";
import { checkShared } from "../src/budget/shared.ts";
import {
  ask as askPerson,
  type Holdfast,
  HoldfastError,
  type HoldfastOptions,
  type SharedBudget,
  usd,
} from "../src/index.ts";
import { outcomeOf, tool } from "./agent.ts";
import { counter, forever, useHoldfast } from "./opened.ts";
import { ask, expectRowsToBeTheFold, prices } from "./spending.ts";
import { eventually, newId } from "./store.ts";

const { open, sql, stall } = useHoldfast();

let tenants = 0;
/** A tenant of one's own: its tag, and a budget for it of so many micro-dollars a day. */
function aTenant(cap: SharedBudget["cap"], per: SharedBudget["per"] = "day") {
  const tag = `tenant:t${++tenants}`;
  return { tag, budgets: [{ scope: { tag }, per, cap }] as const };
}

interface Row {
  budget: string;
  spent_micros: string;
  held_micros: string;
}

const rowOf = async (tag: string): Promise<{ spent: number; held: number; budget: string }> => {
  const [row] = await sql<Row>("select * from holdfast.budgets where scope = $1 order by starts desc", [
    `tag:${tag}`,
  ]);
  return { budget: row?.budget ?? "", spent: Number(row?.spent_micros), held: Number(row?.held_micros) };
};

const leaving = (underWay: () => void) => () => {
  underWay();
  return forever<string>();
};

const asks = (hf: Holdfast, tag: string, id = newId(), work = () => ask("a", { max: 100, uses: 20 })) =>
  hf.run(id, work, { tags: [tag] });

test("what runs with a tag hold and spend is counted in one row a window, in the statement of their entries", async () => {
  const { tag, budgets } = aTenant(5000);
  const hf = await open({ prices, budgets });
  const id = newId();
  let held: unknown;
  await asks(hf, tag, id, () =>
    ask("a", { max: 100, uses: 20 }, async () => {
      held = await rowOf(tag);
    }),
  );
  expect(held).toMatchObject({ spent: 0, held: 1000 });
  expect(await rowOf(tag)).toMatchObject({ spent: 200, held: 0 });
  const intent = (await hf.entries(id)).find(({ kind }) => kind === "intent");
  expect(intent).toMatchObject({ hold: 1000, budgets: [(await rowOf(tag)).budget] });
  expect((await rowOf(tag)).budget).toMatch(new RegExp(`^tag:${tag}/day/\\d{4}-\\d\\d-\\d\\d$`));
  await expectRowsToBeTheFold(sql, hf, tag);
});

test("a run without the tag, and of another tenant, spends nothing of it", async () => {
  const { tag, budgets } = aTenant(500);
  const hf = await open({ prices, budgets });
  await asks(hf, "tenant:somebody-else", newId(), () => ask("a", { max: 100 }));
  expect(await outcomeOf(asks(hf, tag, newId(), () => ask("a", { max: 100 })))).toBe(50);
});

test("a glob gives each tag that fits it a budget of its own; an agent has one of all its runs", async () => {
  const hf = await open({
    prices,
    budgets: [
      { scope: { tag: "team:*" }, per: "hour", cap: 1000 },
      { scope: { tag: "team:big" }, per: "hour", cap: 9000 },
      { scope: { agent: "support" }, per: "month", cap: 20_000 },
    ],
  });
  const spend = (tag: string) =>
    hf.run(newId(), () => ask("a", { uses: 50 }), { tags: [tag], agent: "support" });
  expect([await spend("team:a"), await spend("team:b"), await spend("team:big")]).toEqual([100, 100, 900]);
  const rows = await sql<Row>(
    "select scope, cap_micros, spent_micros from holdfast.budgets where scope like 'tag:team:%' or scope like 'agent:%' order by scope",
  );
  expect(rows).toEqual([
    { scope: "agent:support", cap_micros: "20000", spent_micros: "1500" },
    { scope: "tag:team:a", cap_micros: "1000", spent_micros: "500" },
    { scope: "tag:team:b", cap_micros: "1000", spent_micros: "500" },
    { scope: "tag:team:big", cap_micros: "9000", spent_micros: "500" },
  ]);
});

test("an answer is shortened to what is left of a shared budget, and the run fails once nothing is", async () => {
  const { tag, budgets } = aTenant(1000);
  const [one, other] = [await open({ prices, budgets }), await open({ prices, budgets })];
  expect(await asks(one, tag, newId(), () => ask("a", { max: 90, uses: 70 }))).toBe(90);
  expect(await asks(other, tag, newId(), () => ask("a", { max: 90, uses: 20 }))).toBe(30);
  expect(await outcomeOf(asks(one, tag, newId(), () => ask("a", { max: 90 })))).toBe("BUDGET_EXHAUSTED");
  expect(await rowOf(tag)).toMatchObject({ spent: 900, held: 0 });
});

test("a call waits for what others hold, where that is all that is in its way", async () => {
  const { tag, budgets } = aTenant(1000);
  const hf = await open({ prices, budgets, budget: { onLow: "fail" } });
  const [underWay, goOn] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const first = asks(hf, tag, newId(), () =>
    ask("a", { max: 80, uses: 20 }, async () => {
      underWay.resolve();
      await goOn.promise;
    }),
  );
  await underWay.promise;
  const second = asks(hf, tag, newId(), () => ask("b", { max: 60, uses: 20 }));
  goOn.resolve();
  await Promise.all([first, second]);
  expect(await rowOf(tag)).toMatchObject({ spent: 400, held: 0 });
});

test("one hold that is refused stops no other run of the same statement", async () => {
  const [poor, rich] = [aTenant(500), aTenant(100_000)];
  const hf = await open({ prices, budgets: [...poor.budgets, ...rich.budgets], budget: { onLow: "fail" } });
  const outcomes = await Promise.all(
    Array.from({ length: 20 }, (_, i) =>
      outcomeOf(asks(hf, (i % 2 ? poor : rich).tag, newId(), () => ask("a", { max: 100, uses: 20 }))),
    ),
  );
  expect(outcomes).toEqual(outcomes.map((_, i) => (i % 2 ? "BUDGET_EXHAUSTED" : 100)));
  expect(await rowOf(rich.tag)).toMatchObject({ spent: 2000, held: 0 });
  expect((await sql("select from holdfast.runs where holds <> 0")).length).toBe(0);
});

test("runs that are held for in one statement do not pass the cap together", async () => {
  const { tag, budgets } = aTenant(1400);
  const hf = await open({ prices, budgets, budget: { onLow: "fail" } });
  let most = 0;
  const call = () =>
    ask("a", { max: 40, uses: 5 }, async () => {
      const { spent, held } = await rowOf(tag);
      most = Math.max(most, spent + held);
    });
  await Promise.all(Array.from({ length: 20 }, () => asks(hf, tag, newId(), call)));
  expect(most).toBeLessThanOrEqual(1400);
  expect(await rowOf(tag)).toMatchObject({ spent: 1000, held: 0 });
});

test("a tool's own money counts in a shared budget, and a doubt holds it", async () => {
  const { tag, budgets } = aTenant(1000);
  const options = { budgets, tools: { pay: { cost: () => 300 } } };
  const hf = await open(options);
  const id = newId();
  const underWay = Promise.withResolvers<void>();
  const left = hf.run(id, () => tool("pay", {}, leaving(underWay.resolve)), { tags: [tag] });
  left.catch(() => {});
  await underWay.promise;
  await stall(id);
  const next = await open(options);
  expect(await outcomeOf(next.run(id, () => tool("pay", {}, () => "paid")))).toBe("RUN_WAITING");
  expect(await rowOf(tag)).toMatchObject({ spent: 0, held: 300 });
  const [doubt] = await next.doubts.list({ runId: id });
  await next.doubts.resolve(id, doubt?.step ?? "", { didNotHappen: true }, { by: "ana" });
  expect(await rowOf(tag)).toMatchObject({ spent: 0, held: 0 });
  await next.run(id, () => tool("pay", {}, () => "paid"));
  expect(await rowOf(tag)).toMatchObject({ spent: 300, held: 0 });
  await expectRowsToBeTheFold(sql, next, tag);
});

test("a transaction's observation settles its hold in the same commit", async () => {
  const { tag, budgets } = aTenant(1000);
  const hf = await open({ budgets, tools: { pay: { effect: "transaction", cost: () => 300 } } });
  await hf.run(newId(), () => tool("pay", {}, () => "paid"), { tags: [tag] });
  expect(await rowOf(tag)).toMatchObject({ spent: 300, held: 0 });
});

test("a hold is settled in the window that it was taken in", async () => {
  const { tag, budgets } = aTenant(1000);
  const hf = await open({ prices, budgets });
  await asks(hf, tag, newId(), () =>
    ask("a", { max: 50, uses: 20 }, async () => {
      await sql("update holdfast.budgets set until = now() where scope = $1", [`tag:${tag}`]); // the day is over
    }),
  );
  expect(await rowOf(tag)).toMatchObject({ spent: 200, held: 0 });
});

test("no hold is taken from a window that is over: the next one is opened", async () => {
  const { tag, budgets } = aTenant(1000);
  const hf = await open({ prices, budgets });
  await asks(hf, tag, newId(), () => ask("a", { max: 95, uses: 95 }));
  // Its window ends now; by this process' clock it does not.
  await sql("update holdfast.budgets set until = now() where scope = $1", [`tag:${tag}`]);
  await sql("update holdfast.budgets set budget = budget || ' (before)' where scope = $1", [`tag:${tag}`]);
  expect(await asks(hf, tag, newId(), () => ask("a", { max: 95, uses: 10 }))).toBe(95);
  expect(await rowOf(tag)).toMatchObject({ spent: expect.any(Number) });
});

test("a run that was cancelled from outside leaves nothing held", async () => {
  const { tag, budgets } = aTenant(1000);
  const hf = await open({ prices, budgets });
  const other = newId();
  const underWay = Promise.withResolvers<void>();
  asks(hf, tag, other, () => ask("a", { max: 50 }, leaving(underWay.resolve))).catch(() => {});
  await underWay.promise;
  expect(await rowOf(tag)).toMatchObject({ spent: 0, held: 500 });
  // As whoever notices a dead owner, or cancels a parked run, ends it: by SQL alone.
  await sql(
    `with head as (
       update holdfast.runs set seq = seq + 1, epoch = epoch + 1, status = 'cancelled', leased_by = null, finished_at = now()
        where run_id = $1 returning run, seq, epoch
     )
     insert into holdfast.entries (run, seq, epoch, at, kind, step, body, value)
     select run, seq, epoch, now(), 'outcome', null, '{"status":"cancelled","kept":false}', null from head`,
    [other],
  );
  expect(await rowOf(tag)).toMatchObject({ spent: 500, held: 0 });
  expect((await hf.runs.get(other)).budget).toMatchObject({ spent: 500, held: 0, estimated: 500 });
  await expectRowsToBeTheFold(sql, hf, tag);
});

test("a run whose tool failed with a NUL is cancelled from outside, however that was recorded", async () => {
  const { tag, budgets } = aTenant(1000);
  const tools = {
    ship: { effect: "idempotent", cost: () => 5, retry: { attempts: 2, firstMs: 1 } },
  } as const;
  const hf = await open({ budgets, tools });
  const ships = async () => {
    let tries = 0;
    const id = newId();
    const work = async () => {
      if (++tries === 1) throw new Error("bad frame \0");
      return await askPerson({ question: "go on?" });
    };
    expect(await outcomeOf(asks(hf, tag, id, () => tool("ship", {}, work)))).toBe("RUN_WAITING");
    return id;
  };
  const [one, other] = [await ships(), await ships()];
  await sql("alter table holdfast.entries disable trigger user");
  await sql(
    `update holdfast.entries set body = replace(body, U&'\\FFFD', '\\u0000')
      where run = (select run from holdfast.runs where run_id = $1)`,
    [other],
  );
  await sql("alter table holdfast.entries enable trigger user");
  for (const id of [one, other]) await hf.cancel(id, { by: "ana" });
  expect(await rowOf(tag)).toMatchObject({ spent: 10, held: 0 });
});

test.each([
  [{}],
  [{ scope: { tag: "" }, per: "day", cap: 1 }],
  [{ scope: { tag: "a", agent: "b" }, per: "day", cap: 1 }],
  [{ scope: { run: "a" }, per: "day", cap: 1 }],
  [{ scope: { tag: "a" }, per: "week", cap: 1 }],
  [{ scope: { tag: "a" }, per: "day", cap: 0.5 }],
  [{ scope: { tag: "a" }, per: "day", cap: 1, hard: true }],
  [null],
])("%j is no shared budget", (budget) => {
  expect(() => checkShared([budget as never])).toThrow("(INVALID_ARGUMENT)");
});

test("two budgets of one scope and window are refused: nobody could say which counts", () => {
  const { budgets } = aTenant(1);
  expect(() => checkShared([...budgets, ...budgets])).toThrow("(INVALID_ARGUMENT)");
});

test("a run whose budget is low parks, and goes on when it is raised: by whom is recorded", async () => {
  const options: HoldfastOptions = { prices, budget: { perRun: 1000, onLow: "park" } };
  const hf = await open(options);
  const id = newId();
  const { calls, does } = counter();
  const work = async () => {
    await ask("a", { max: 60, uses: 60 });
    return await ask("b", { max: 60, uses: 10 }, does("b", "done"));
  };
  const parked = await hf.run(id, work).catch((error: unknown) => error);
  expect(HoldfastError.is(parked, "RUN_WAITING") && parked.details).toMatchObject({ waitingOn: "budget" });
  expect(calls).toEqual([]);
  expect(await hf.runs.get(id)).toMatchObject({
    status: "waiting",
    waitingOn: "budget",
    budget: { left: 400 },
  });
  expect(await outcomeOf(hf.run(id, work))).toBe("RUN_WAITING");
  await hf.raiseBudget(id, { to: usd(0.0012), by: "ana" });
  expect(await hf.run(id, work)).toBe("done");
  expect(await hf.runs.get(id)).toMatchObject({
    status: "succeeded",
    budget: { cap: 1200, spent: 700, held: 0 },
  });
  const command = (await hf.entries(id)).find(({ kind }) => kind === "command");
  expect(command).toMatchObject({ command: "raiseBudget", to: { micros: 1200 }, by: "ana" });
});

test("a run that failed for its budget goes on when it is raised", async () => {
  const hf = await open({ prices, budget: { perRun: 50 } });
  const id = newId();
  const work = () => ask("a", { max: 60, uses: 60 }).then(() => ask("b", { max: 60, uses: 10 }));
  expect(await outcomeOf(hf.run(id, () => ask("a", { max: 10, uses: 10 })))).toBe("BUDGET_EXHAUSTED");
  await hf.raiseBudget(id, { to: 2000, by: "ana" });
  expect(await hf.run(id, work)).toBe(60);
});

test("a budget is raised, not lowered, by somebody with a name, of a run that may go on", async () => {
  const hf = await open({ prices, budget: { perRun: 1000 } });
  const id = newId();
  await outcomeOf(hf.run(id, () => Promise.reject(new Error("no"))));
  expect(await outcomeOf(hf.raiseBudget(id, { to: 999, by: "ana" }))).toBe("INVALID_ARGUMENT");
  expect(await outcomeOf(hf.raiseBudget(id, { to: 2000, by: "" }))).toBe("INVALID_ARGUMENT");
  expect(await outcomeOf(hf.raiseBudget("nobody", { to: 2000, by: "ana" }))).toBe("RUN_NOT_FOUND");
  await hf.run(id, () => 1);
  expect(await outcomeOf(hf.raiseBudget(id, { to: 2000, by: "ana" }))).toBe("COMMAND_NOT_ALLOWED");
});

test("what is raised in one unit keeps its cap in the others, also one that its start did not record", async () => {
  const id = newId();
  await outcomeOf((await open({ prices })).run(id, () => Promise.reject(new Error("no"))));
  const hf = await open({ prices, budget: { perRun: { micros: 1000, calls: 1 } } });
  await hf.raiseBudget(id, { to: { micros: 5000 }, by: "ana" });
  const twice = () => ask("a", { max: 60 }).then(() => ask("b", { max: 60 }));
  expect(await outcomeOf(hf.run(id, twice))).toBe("BUDGET_EXHAUSTED");
  expect((await hf.runs.get(id)).budget).toMatchObject({ cap: 5000, calls: { cap: 1, spent: 1 } });
});

test("a run that waits for a shared budget is woken when its window ends", async () => {
  const { tag, budgets } = aTenant(1000);
  const hf = await open({ prices, budgets, budget: { onLow: "park" } });
  await asks(hf, tag, newId(), () => ask("a", { max: 90, uses: 90 }));
  const id = newId();
  const work = () => asks(hf, tag, id, () => ask("a", { max: 90, uses: 10 }));
  expect(await outcomeOf(work())).toBe("RUN_WAITING");
  const [head] = await sql<{ in_time: boolean }>(
    `select r.run_at between b.until - interval '5 seconds' and b.until + interval '5 seconds' as in_time
       from holdfast.runs r, holdfast.budgets b where r.run_id = $1 and b.scope = $2`,
    [id, `tag:${tag}`],
  );
  expect(head?.in_time).toBe(true);
  // The next day.
  await sql("update holdfast.budgets set budget = budget || ' (before)', until = now() where scope = $1", [
    `tag:${tag}`,
  ]);
  await sql("update holdfast.runs set run_at = now() where run_id = $1", [id]);
  expect(await work()).toBe(90);
});

test("a fork that is ended from outside gives back nothing of what it was copied with", async () => {
  const { tag, budgets } = aTenant(5000);
  const hf = await open({ prices, budgets });
  const id = newId();
  const underWay = Promise.withResolvers<void>();
  asks(hf, tag, id, () => ask("a", { max: 50 }, leaving(underWay.resolve))).catch(() => {});
  await underWay.promise;
  const intent = (await hf.entries(id)).find(({ kind }) => kind === "intent");
  const fork = await hf.fork(id, { at: intent?.seq ?? 0 });
  expect((await hf.runs.get(fork.id)).budget).toMatchObject({ spent: 0, held: 0 });
  // As if it held something of its own.
  await sql(
    "update holdfast.runs set holds = 1, status = 'cancelled', waiting_on = null, finished_at = now() where run_id = $1",
    [fork.id],
  );
  expect(await rowOf(tag)).toMatchObject({ spent: 0, held: 500 });
});

test("windows that ended long ago are forgotten with the runs, unless something is held in them", async () => {
  const { tag, budgets } = aTenant(5000);
  const hf = await open({ prices, budgets });
  const underWay = Promise.withResolvers<void>();
  asks(hf, tag, newId(), () => ask("a", { max: 50 }, leaving(underWay.resolve))).catch(() => {});
  await underWay.promise;
  const old = "update holdfast.budgets set until = now() - interval '2 days' where scope = $1";
  await sql(old, [`tag:${tag}`]);
  const over = aTenant(5000);
  const other = await open({ prices, budgets: over.budgets });
  await asks(other, over.tag);
  await sql(old, [`tag:${over.tag}`]);
  await hf.prune({ olderThan: "1d" });
  expect((await rowOf(tag)).held).toBe(500);
  expect((await rowOf(over.tag)).budget).toBe("");
});

test("a run of the fleet that parks for its budget is picked up again when it is raised", async () => {
  const hf = await open({ prices, budget: { perRun: 1000, onLow: "park" } });
  const agent = hf.agent("spender", async () => {
    await ask("a", { max: 60, uses: 60 });
    return await ask("b", { max: 60, uses: 10 });
  });
  const run = await hf.start(agent, undefined);
  await hf.worker().start();
  await eventually(async () => (await run.status()) === "waiting");
  expect(await hf.runs.get(run.id)).toMatchObject({ waitingOn: "budget", budget: { cap: 1000, spent: 600 } });
  await hf.raiseBudget(run.id, { to: 2000, by: "ana" });
  expect(await run.result()).toBe(60);
});

test("a run of the fleet has the budget that it was started with", async () => {
  const hf = await open({ prices });
  const agent = hf.agent("poor", () => ask("a", { max: 60 }));
  const run = await hf.start(agent, undefined, { budget: 300 });
  await hf.worker().start();
  expect(await run.result()).toBe(30);
});
