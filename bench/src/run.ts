import { DBOS } from "@dbos-inc/dbos-sdk";
import { current, openHoldfast, step } from "@holdfast/core";
import pg from "pg";
import { print, sideBySide, takeTurns } from "./measure.ts";

const TURNS = 5;
/** Start, five times model, intent and observation, outcome. */
const POINTS = 1 + 3 * TURNS + 1;

/** An agent run of five turns, each a model call of 2 KB and a tool of 0.5 KB, against the same on DBOS. */
export async function benchRun(url: string): Promise<void> {
  const answer = { text: "m".repeat(2000) };
  const output = { text: "t".repeat(500) };
  const counting = countingPool(url);
  const hf = await openHoldfast({ database: counting.pool });

  let id = 0;
  const onHoldfast = (effect: "idempotent" | "once") => () =>
    hf.run(`bench-${process.pid}-${Date.now()}-${id++}`, async () => {
      for (let turn = 0; turn < TURNS; turn++) {
        const port = current();
        if (!port) throw new Error("outside a run");
        await port.step({ kind: "model", name: "m", input: { prompt: turn } }, () => answer);
        await step("tool", () => output, { input: { turn }, effect });
      }
    });

  DBOS.setConfig({ name: "bench", systemDatabaseUrl: await dbosDatabase(url), logLevel: "error" });
  const workflow = DBOS.registerWorkflow(
    async () => {
      for (let turn = 0; turn < TURNS; turn++) {
        await DBOS.runStep(async () => answer, { name: "model" });
        await DBOS.runStep(async () => output, { name: "tool" });
      }
    },
    { name: "agent" },
  );
  await DBOS.launch();

  for (const [runs, atLeast] of [
    [1, 4],
    [50, 8],
  ] as const) {
    const each = runs === 1 ? 60 : 300;
    // A step of DBOS may be repeated after a crash, without a key: what is like it here is a tool that may be.
    const rows = await takeTurns([
      { name: "DBOS", block: () => sideBySide(runs, each, () => workflow()) },
      { name: "holdfast, idempotent tools", block: () => sideBySide(runs, each, onHoldfast("idempotent")) },
      { name: "holdfast, once-only tools", block: () => sideBySide(runs, each, onHoldfast("once")) },
    ]);
    const against = (row: number) =>
      `${((rows[row]?.perSecond ?? 0) / (rows[0]?.perSecond ?? 1)).toFixed(2)}×`;
    print(`agent runs of ${POINTS} points, ${runs} at once`, rows, {
      [`runs per second against DBOS, idempotent tools (at least ${atLeast})`]: against(1),
      "the same, once-only tools": against(2),
    });
  }

  for (const effect of ["idempotent", "once"] as const) {
    counting.reset();
    await sideBySide(1, 50, onHoldfast(effect));
    const trips = (counting.statements() / (50 * POINTS)).toFixed(2);
    console.log(`\n  → round trips per point, one run at a time, ${effect} tools (at most 1.0): ${trips}`);
  }
  await DBOS.shutdown();
  await hf.close();
  await counting.pool.end();
}

/** A pool that counts what goes over the wire: each query is one round trip. */
function countingPool(url: string) {
  const pool = new pg.Pool({ connectionString: url, max: 10 });
  pool.on("error", () => {});
  let statements = 0;
  pool.on("connect", (client) => {
    const query = client.query.bind(client) as (...args: unknown[]) => unknown;
    (client as unknown as { query: unknown }).query = (...args: unknown[]) => {
      statements++;
      return query(...args);
    };
  });
  return {
    pool,
    statements: () => statements,
    reset: () => {
      statements = 0;
    },
  };
}

async function dbosDatabase(url: string): Promise<string> {
  const name = "holdfast_bench_dbos";
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query(`drop database if exists ${name} with (force)`);
  await client.query(`create database ${name}`);
  await client.end();
  const at = new URL(url);
  at.pathname = `/${name}`;
  return at.href;
}
