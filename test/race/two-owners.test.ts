import { openHoldfast } from "@holdfast/core";
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { freshDatabase } from "../fresh-database.ts";
import { Child } from "../process.ts";

let database: Awaited<ReturnType<typeof freshDatabase>>;
let hf: Awaited<ReturnType<typeof openHoldfast>>;
let pool: pg.Pool;

beforeAll(async () => {
  database = await freshDatabase();
  hf = await openHoldfast({ database: database.url });
  pool = new pg.Pool({ connectionString: database.url, max: 1 });
  pool.on("error", () => {});
});
afterAll(async () => {
  await hf.close();
  await pool.end();
  await database.drop();
});

const start = (runId: string, { onLeased = "refuse", leaseSeconds = 30, stopsAt = "" } = {}) =>
  new Child("race/worker.ts", [database.url, runId, onLeased, String(leaseSeconds), stopsAt]);

async function go(...children: Child[]): Promise<void> {
  await Promise.all(children.map((child) => child.says("ready")));
  for (const child of children) child.tell("go");
}

/** Waits for Postgres to say so: the time to live of a worker is over. */
async function leaseOver(runId: string): Promise<void> {
  for (;;) {
    const { rows } = await pool.query(
      `select from holdfast.runs r join holdfast.workers w on w.worker = r.leased_by
        where r.run_id = $1 and w.until > now()`,
      [runId],
    );
    if (rows.length === 0) return;
    await pool.query("select pg_sleep(0.05)");
  }
}

const epochs = async (runId: string) => (await hf.entries(runId)).map((entry) => entry.epoch);
const sorted = (numbers: number[]) => [...numbers].sort((a, b) => a - b);

for (const stopsAt of ["intent", "call"]) {
  test(`an owner stopped ${stopsAt === "intent" ? "before its intent" : "inside its call"} for longer than its lease commits nothing into the run that was taken over`, async () => {
    const runId = `zombie-${stopsAt}`;
    const zombie = start(runId, { leaseSeconds: 1, stopsAt });
    await go(zombie);
    await zombie.says(stopsAt === "intent" ? "before the intent" : "called");
    await zombie.kill("SIGSTOP");
    await leaseOver(runId);

    const next = start(runId, { leaseSeconds: 30 });
    await go(next);
    const { value } = await next.says("value");
    const before = await hf.entries(runId);

    zombie.tell("go on");
    await zombie.kill("SIGCONT");
    const { code } = await zombie.says("refused");
    expect(["FENCED", "DATABASE_UNAVAILABLE"]).toContain(code);
    await zombie.exited();

    expect(await hf.entries(runId)).toEqual(before);
    expect(await hf.runs.get(runId)).toMatchObject({ status: "succeeded", value });
    expect(await epochs(runId)).toEqual(sorted(await epochs(runId)));
  });
}

test("a run whose owner was killed is taken over, and its finished steps are not repeated", async () => {
  const first = start("killed", { stopsAt: "call" });
  await go(first);
  await first.says("called");
  await first.kill("SIGKILL");

  const second = start("killed");
  await go(second);
  await second.says("value");
  expect(second.lines.filter(({ at }) => at === "first")).toEqual([]);
  expect(await hf.runs.get("killed")).toMatchObject({ epoch: 2, attempts: { crashes: 1 } });
});

// Two processes that live on and race for a hundred runs: as fast as a run takes, not as a process takes to start.
test("of two processes that want one run at the same instant, one works and the other is refused or waits, a hundred times", async () => {
  const racers = [0, 1].map(() => new Child("race/racer.ts", [database.url]));
  await Promise.all(racers.map((racer) => racer.says("ready")));
  for (const racer of racers) racer.tell("go");
  const results = await Promise.all(racers.map((racer) => racer.says("done")));

  const outcomes = results.map(
    ({ outcomes }) => outcomes as { runId: string; worked: boolean; what: string }[],
  );
  for (let i = 0; i < 100; i++) {
    const both = outcomes.map((of) => of[i]);
    expect(both.filter((one) => one?.worked)).toHaveLength(1);
    // Whoever did not work was refused, waited for the value, or came when it was there.
    for (const one of both) expect(["value", "RUN_LEASED"]).toContain(one?.what);
    const entries = await hf.entries(`race-${i}`);
    expect(entries.filter(({ kind }) => kind === "intent")).toHaveLength(1);
    expect(entries.filter(({ kind }) => kind === "takeover")).toHaveLength(1);
  }
});
