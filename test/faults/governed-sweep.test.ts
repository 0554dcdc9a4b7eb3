import { type Holdfast, type LedgerEntry, openHoldfast } from "@holdfast/core";
import { crashing } from "@holdfast/core/testing";
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { freshDatabase } from "../fresh-database.ts";
import { BOOKING, governed, type SettledWithLeave, settle } from "./governed.ts";
import { ofTheRun, pointsOf } from "./point.ts";
import { CountingWorld } from "./world.ts";

/*
 * The sweep of sweep.test.ts over a run that policy, people and budgets hold up. Whoever answers its questions, resolves
 * its doubts and raises its budget dies with it: their statements are swept as well.
 */

/** Points that are tried side by side. */
const AT_ONCE = 12;

let database: Awaited<ReturnType<typeof freshDatabase>>;
let pool: pg.Pool;

beforeAll(async () => {
  database = await freshDatabase();
  pool = new pg.Pool({ connectionString: database.url, max: 40 });
  pool.on("error", () => {});
  await pool.query(BOOKING);
});
afterAll(async () => {
  await pool.end();
  await database.drop();
});

const SHARED = /* sql */ `
select spent_micros::int as spent, held_micros::int as held
  from holdfast.budgets
 where scope = 'tag:tenant:' || $1`;

const BOOKED = /* sql */ `select booked from booking where run in (select unnest($1::text[]))`;

/** What came of a run, by the world, the ledger and the tables. */
interface Account {
  readonly value: SettledWithLeave;
  readonly done: readonly string[];
  readonly booked: number;
  /** Questions by what they ask, and the intents that used an approval up. */
  readonly asked: readonly string[];
  readonly used: number;
  readonly refused: readonly string[];
  readonly toolsCost: number;
}

async function accountOf(hf: Holdfast, runId: string, world: CountingWorld, value: SettledWithLeave) {
  const entries = await hf.entries(runId);
  const { budget } = await hf.runs.get(runId);
  const { rows } = await pool.query<{ spent: number; held: number }>(SHARED, [runId]);
  const keys = entries.flatMap((entry) => (entry.kind === "intent" ? [entry.key] : []));
  const booked = await pool.query(BOOKED, [keys]);
  const account: Account = {
    value,
    done: world.done,
    booked: booked.rows.length,
    asked: entries
      .flatMap((entry) => (entry.kind === "question" ? [`${entry.asks} ${entry.name}`] : []))
      .sort(),
    used: approvalsUsed(entries),
    refused: entries.flatMap((entry) => (entry.kind === "refusal" ? [entry.name] : [])).sort(),
    toolsCost: toolsCostOf(entries),
  };
  return { account, entries, budget, shared: rows };
}

/** How many approvals let a call out. One that lets out two different calls counts twice. */
function approvalsUsed(entries: readonly LedgerEntry[]): number {
  const uses = entries.flatMap((entry) =>
    entry.kind === "intent" && entry.question !== undefined ? [`${entry.question} ${entry.key}`] : [],
  );
  return new Set(uses).size;
}

/** What the effects of a run have cost, by the ledger: what a call cost whose doubt was resolved is what it had held. */
function toolsCostOf(entries: readonly LedgerEntry[]): number {
  const holds = new Map<string, number>();
  let sum = 0;
  for (const entry of entries) {
    if (entry.kind === "intent") holds.set(entry.step, entry.hold ?? 0);
    if (entry.kind === "observation" && entry.call === "tool") sum += entry.cost ?? 0;
    if (entry.kind === "resolution" && entry.happened) sum += holds.get(entry.step) ?? 0;
  }
  return sum;
}

/** Works on the run, and sees to all that it waits for, until the kth statement. */
async function dieAt(at: number, when: "before" | "after", runId: string, world: CountingWorld) {
  const crash = crashing(pool, { at, when, counts: ofTheRun });
  const alive = world.seenBy(crash);
  let hf: Holdfast | undefined;
  try {
    hf = await openHoldfast({ ...governed(world), database: crash.pool, migrate: false });
    await settle(hf, runId, alive, (key) => world.outcomeOf(key));
  } catch (error) {
    if (!crash.isDead) throw error;
  } finally {
    await hf?.close({ graceSeconds: 0 });
  }
  return crash;
}

/** Finishes the run in a process that lives, and says what came of it. */
async function finished(runId: string, world: CountingWorld) {
  const hf = await openHoldfast({ ...governed(world), database: database.url, graceSeconds: 0.1 });
  const value = await settle(hf, runId, world, (key) => world.outcomeOf(key));
  const account = await accountOf(hf, runId, world, value);
  await hf.close();
  return account;
}

test("wherever a run that is held up dies, nobody is asked twice, nothing goes out without leave, and no budget loses count", async () => {
  const lived = await finished("undisturbed", new CountingWorld());
  expect(lived.account.done).toEqual(["refund 42", "wire 43", "wire 44", "wire 46", "wire 47", "wire 48"]);
  expect(lived.account).toMatchObject({ booked: 1, used: 5, toolsCost: 5 * 500 + 300 });
  expect(lived.account.asked).toHaveLength(6);
  expect(lived.account.refused).toHaveLength(2);
  const { statements } = await dieAt(Number.POSITIVE_INFINITY, "before", "counted", new CountingWorld());
  expect(statements).toBeGreaterThan(25);

  const points = pointsOf(statements);
  const found: string[] = [];
  let deaths = 0;
  const tryNext = async (): Promise<void> => {
    for (let point = points.shift(); point; point = points.shift()) {
      const runId = `${point.when}-${point.at}`;
      const world = new CountingWorld();
      const { isDead } = await dieAt(point.at, point.when, runId, world);
      const { account, budget, shared } = await finished(runId, world);
      const is = JSON.stringify(account);
      const should = JSON.stringify(lived.account);
      if (is !== should) found.push(`${runId}: ${is} instead of ${should}`);
      const { spent, held, estimated } = budget;
      // A model's answer that was cut off is paid again, and what it was held for counts as spent: an estimate.
      const atLeast = lived.budget.spent;
      if (held !== 0 || spent < atLeast || spent - estimated > atLeast) {
        found.push(`${runId}: held ${held}, spent ${spent}, estimated ${estimated}, undisturbed ${atLeast}`);
      }
      if (JSON.stringify(shared) !== JSON.stringify([{ spent, held: 0 }])) {
        found.push(`${runId}: the shared budget says ${JSON.stringify(shared)}, the ledger ${spent}`);
      }
      if (isDead) deaths++;
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, tryNext));

  expect(found).toEqual([]);
  expect(deaths).toBeGreaterThan(2 * statements - 12);
  console.log(`${statements} statements, ${deaths} deaths`);
});
