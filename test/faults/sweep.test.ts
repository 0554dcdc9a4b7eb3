import { type Holdfast, openHoldfast } from "@holdfast/core";
import { crashing } from "@holdfast/core/testing";
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { freshDatabase } from "../fresh-database.ts";
import { settleOrders, tools } from "./agent.ts";
import { differences, entriesOf, finish, undisturbed } from "./finish.ts";
import { ofTheRun, pointsOf } from "./point.ts";
import { CountingWorld } from "./world.ts";

/*
 * One run, and a death before and after each statement that it sends. Deaths in this process: `crashing` cuts the dead
 * Holdfast off from the database and the world. `pnpm sweep` does the same with processes that are killed.
 */

/** Points that are tried side by side. */
const AT_ONCE = 6;

let database: Awaited<ReturnType<typeof freshDatabase>>;
let pool: pg.Pool;
let healthy: Holdfast;

beforeAll(async () => {
  database = await freshDatabase();
  pool = new pg.Pool({ connectionString: database.url, max: 40 });
  pool.on("error", () => {});
  healthy = await openHoldfast({ database: database.url, tools, graceSeconds: 0.1 });
});
afterAll(async () => {
  await healthy.close();
  await pool.end();
  await database.drop();
});

/** Works on the run until the kth statement, and dies there. Resolves when its lock is gone with it. */
async function dieAt(at: number, when: "before" | "after", runId: string, world: CountingWorld) {
  const crash = crashing(pool, { at, when, counts: ofTheRun });
  let hf: Holdfast | undefined;
  try {
    hf = await openHoldfast({ database: crash.pool, migrate: false, tools });
    const alive = world.seenBy(crash);
    await hf.run(runId, () => settleOrders(alive));
  } catch (error) {
    if (!crash.isDead) throw error;
  } finally {
    await hf?.close({ graceSeconds: 0 });
  }
  return crash;
}

test("wherever a run dies, another goes on to the same end: no effect is doubled, none is lost, and nothing recorded is paid again", async () => {
  const lived = await undisturbed(healthy, "undisturbed");
  expect(lived.world.done).toEqual(["refund 41", "refund 42", "refund 7", "wire 42", "wire 43"]);
  expect(lived.world.paid).toHaveLength(7);
  const { statements } = await dieAt(Number.POSITIVE_INFINITY, "before", "counted", new CountingWorld());
  expect(statements).toBeGreaterThan(15);

  const points = pointsOf(statements);
  const account = { deaths: 0, paidAgain: 0, decided: 0 };
  const found: string[] = [];
  const tryNext = async (): Promise<void> => {
    for (let point = points.shift(); point; point = points.shift()) {
      const runId = `${point.when}-${point.at}`;
      const world = new CountingWorld();
      const { isDead } = await dieAt(point.at, point.when, runId, world);
      const left = await entriesOf(healthy, runId);
      const paidBefore = world.paid.length;
      const value = await finish(healthy, runId, world);
      const entries = await healthy.entries(runId);
      const differ = differences({ value, world, left, entries, paidBefore }, lived);
      found.push(...differ.map((difference) => `${runId}: ${difference}`));
      if (isDead) account.deaths++;
      account.paidAgain += world.paid.length - lived.world.paid.length;
      account.decided += entries.filter(({ kind }) => kind === "resolution").length;
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, tryNext));

  expect(found).toEqual([]);
  // Else the sweep would have swept nothing: how facts travel together shifts the last statements by one or two.
  expect(account.deaths).toBeGreaterThan(2 * statements - 10);
  expect(account.decided).toBeGreaterThan(0);
  console.log(`${statements} statements: ${JSON.stringify(account)}`);
});
