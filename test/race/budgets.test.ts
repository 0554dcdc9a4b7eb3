import { type Holdfast, openHoldfast } from "@holdfast/core";
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { NOTHING, plus } from "../../packages/core/src/budget/amount.ts";
import { changesOf, newTally, tally } from "../../packages/core/src/budget/tally.ts";
import type { Entry } from "../../packages/core/src/ledger/entry.ts";
import { freshDatabase } from "../fresh-database.ts";
import { Child } from "../process.ts";

const PROCESSES = 16;
const RUNS = 6;
const TAG = "tenant:acme";
/** About two thirds of what all runs would spend: the last ones are refused. */
const CAP = 50_000;

let database: Awaited<ReturnType<typeof freshDatabase>>;
let hf: Holdfast;
let pool: pg.Pool;

beforeAll(async () => {
  database = await freshDatabase();
  hf = await openHoldfast({ database: database.url });
  pool = new pg.Pool({ connectionString: database.url, max: 2 });
  pool.on("error", () => {});
  // Whoever moves the row past its cap, even for a moment, is written down.
  await pool.query(`
    create table passed (spent bigint, held bigint);
    create function note_passed() returns trigger language plpgsql as $$
    begin
      insert into passed values (new.spent_micros, new.held_micros);
      return null;
    end $$;
    create trigger passed after update on holdfast.budgets
      for each row when (new.spent_micros + new.held_micros > new.cap_micros or new.held_micros < 0)
      execute function note_passed();
  `);
});
afterAll(async () => {
  await hf.close();
  await pool.end();
  await database.drop();
});

const start = (n: number) =>
  new Child("race/spender.ts", [database.url, TAG, String(CAP), String(n), String(RUNS)]);

interface Row {
  spent_micros: string;
  held_micros: string;
  spent_calls: string;
  held_calls: string;
}

const theRow = async (): Promise<Row | undefined> =>
  (await pool.query<Row>("select * from holdfast.budgets where scope = $1", [`tag:${TAG}`])).rows[0];

/** What the ledgers of all runs say of the shared budget, summed up. */
async function theFold(): Promise<Row> {
  const { rows } = await pool.query<{ run_id: string }>("select run_id from holdfast.runs");
  let [held, spent] = [NOTHING, NOTHING];
  for (const { run_id: id } of rows) {
    const run = newTally();
    for (const entry of (await hf.entries(id)) as Entry[]) {
      for (const change of changesOf(run, [entry], entry.epoch)) {
        held = plus(held, change.held);
        spent = plus(spent, change.spent);
      }
      tally(run, entry);
    }
  }
  const text = (n: number) => String(n);
  return {
    spent_micros: text(spent.micros),
    held_micros: text(held.micros),
    spent_calls: text(spent.calls),
    held_calls: text(held.calls),
  };
}

test("what 16 processes with 6 runs each spend and hold together never passes their cap, and is what their ledgers say, also where half of them are killed", async () => {
  let killed = 0;
  const first = Array.from({ length: PROCESSES }, (_, n) => start(n));
  // Every second process is killed in the middle of a call, and another one goes on with its runs.
  const all = await Promise.all(
    first.map(async (child, n) => {
      await child.says("ready");
      if (n % 2 === 0) return child;
      // Where the others took all there was before it came to ask, there is nothing to be cut off.
      const asked = await child.says("asked").catch(() => undefined);
      if (!asked) return child;
      await child.kill();
      killed++;
      return start(n);
    }),
  );
  expect(killed).toBeGreaterThan(0);
  const done = await Promise.all(all.map((child) => child.says("done")));
  expect((await pool.query("select * from passed")).rows).toEqual([]);
  expect(await theRow()).toMatchObject(await theFold());
  expect(await theRow()).toMatchObject({ held_micros: "0", held_calls: "0" });
  expect(Number((await theRow())?.spent_micros)).toBeLessThanOrEqual(CAP);
  expect(Number((await theRow())?.spent_micros)).toBeGreaterThan(CAP - 401);
  expect(done.reduce((sum, { refused }) => sum + Number(refused), 0)).toBeGreaterThan(0);
});
