import { expect, test } from "vitest";
import { Appender } from "../src/appender.ts";
import { type Amount, NOTHING } from "../src/budget/amount.ts";
import { openWindow } from "../src/store/budgets.ts";
import { type Append, append, type Lease } from "../src/store/ledger.ts";
import { aRun, aWorker, entriesOf, noteOf, useStore } from "./store.ts";

const store = useStore();

const micros = (micros: number): Amount => ({ ...NOTHING, micros });

/** An append that holds so many micro-dollars in a budget. */
const holds = (lease: Lease, budget: string, held: number, number = 1): Append => ({
  lease,
  number,
  facts: [noteOf("a")],
  changes: [{ budget, held: micros(held), spent: NOTHING, takes: true, opened: 1 }],
});

const aBudget = async (scope: string, cap: number) =>
  (await openWindow(store.db, scope, "day", { micros: cap })).budget;

const heldIn = async (budget: string) => {
  const [row] = await store.sql<{ held_micros: string }>(
    "select held_micros from holdfast.budgets where budget = $1",
    [budget],
  );
  return Number(row?.held_micros);
};

test("an append whose hold does not fit writes nothing, and says which budget is short", async () => {
  const run = await aRun(store, await aWorker(store));
  const budget = await aBudget("tag:a", 500);
  expect(await append(store.db, [holds(run, budget, 501)])).toEqual([{ short: budget }]);
  expect([await heldIn(budget), (await entriesOf(store, run)).length]).toEqual([0, 2]);
  expect(await append(store.db, [holds(run, budget, 500)])).toMatchObject([{ after: 2 }]);
  expect(await heldIn(budget)).toBe(500);
});

test("no hold is taken from a window that is over, nor from a budget that is not there", async () => {
  const run = await aRun(store, await aWorker(store));
  const budget = await aBudget("tag:b", 500);
  await store.sql("update holdfast.budgets set until = now() where budget = $1", [budget]);
  expect(await append(store.db, [holds(run, budget, 1)])).toEqual([{ short: budget }]);
  expect(await append(store.db, [holds(run, "tag:b/day/never", 1)])).toEqual([{ short: "tag:b/day/never" }]);
});

test("what is settled moves a row whose window is over, and one that is past its cap", async () => {
  const run = await aRun(store, await aWorker(store));
  const budget = await aBudget("tag:c", 500);
  await append(store.db, [holds(run, budget, 500)]);
  await store.sql("update holdfast.budgets set until = now(), cap_micros = 1 where budget = $1", [budget]);
  const settles: Append = {
    ...holds(run, budget, 0, 2),
    changes: [{ budget, held: micros(-500), spent: micros(200), takes: false, opened: -1 }],
  };
  expect(await append(store.db, [settles])).toMatchObject([{ after: 3 }]);
  const [row] = await store.sql("select spent_micros, held_micros from holdfast.budgets where budget = $1", [
    budget,
  ]);
  expect(row).toEqual({ spent_micros: "200", held_micros: "0" });
});

test("an append that is sent again moves its rows once", async () => {
  const run = await aRun(store, await aWorker(store));
  const budget = await aBudget("tag:d", 500);
  await append(store.db, [holds(run, budget, 300)]);
  expect(await append(store.db, [holds(run, budget, 300)])).not.toMatchObject([
    { after: expect.any(Number) },
  ]);
  expect(await heldIn(budget)).toBe(300);
});

test("a writer that was taken over moves no row", async () => {
  const run = await aRun(store, await aWorker(store));
  const budget = await aBudget("tag:e", 500);
  expect(await append(store.db, [holds({ ...run, epoch: 0 }, budget, 300)])).toEqual([undefined]);
  expect(await heldIn(budget)).toBe(0);
});

test("a run that is refused only because of another of its statement is tried again by itself", async () => {
  const worker = await aWorker(store);
  const [greedy, modest] = [await aRun(store, worker), await aRun(store, worker)];
  const budget = await aBudget("tag:f", 500);
  expect(await append(store.db, [holds(greedy, budget, 600), holds(modest, budget, 300)])).toEqual([
    { short: budget },
    { short: budget },
  ]);
  const appender = new Appender(store.db);
  const first = appender.append({ lease: greedy, number: 1, facts: [noteOf("first")] });
  const both = [appender.append(holds(greedy, budget, 600, 2)), appender.append(holds(modest, budget, 300))];
  expect(await first).toMatchObject({ after: 2 });
  expect(await Promise.all(both)).toMatchObject([{ short: budget }, { after: 2 }]);
  expect(await heldIn(budget)).toBe(300);
});

test("statements that name the same budgets the other way round wait for each other, and none is lost", async () => {
  const worker = await aWorker(store);
  const [one, other] = [await aBudget("tag:g", 1_000_000), await aBudget("tag:h", 1_000_000)];
  const runs = await Promise.all(Array.from({ length: 16 }, () => aRun(store, worker)));
  const named = (lease: Lease, i: number, number: number): Append => {
    const change = { held: micros(1), spent: NOTHING, takes: true, opened: 1 };
    const changes = [one, other].map((budget) => ({ budget, ...change }));
    return { ...holds(lease, one, 0, number), changes: i % 2 ? changes.reverse() : changes };
  };
  await Promise.all(
    runs.map(async (lease, i) => {
      for (let number = 1; number <= 20; number++) await append(store.db, [named(lease, i, number)]);
    }),
  );
  expect([await heldIn(one), await heldIn(other)]).toEqual([320, 320]);
});
