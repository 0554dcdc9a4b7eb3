import { openHoldfast } from "@holdfast/core";
import pg from "pg";
import { fromPg } from "../../packages/core/src/store/pg.ts";
import { claim } from "../../packages/core/src/store/queue.ts";
import { registerWorker } from "../../packages/core/src/store/workers.ts";
import { freshDatabase } from "./database.ts";
import { oneByOne, takeTurns } from "./measure.ts";

const SIZES = [1_000, 10_000, 100_000, 1_000_000];
const FINISHED = `
insert into holdfast.runs (run_id, agent, inline, status, seq, epoch, created_at, finished_at)
select 'done-' || i, 'history', false, 'succeeded', 3, 1, now() - interval '1 day', now() - interval '1 hour'
  from generate_series($1::int, $2::int) i`;
const QUEUED = `
insert into holdfast.runs (run_id, agent, inline, status, seq, append_seq)
select $1 || i, 'history', false, 'queued', 1, 1
  from generate_series(1, 200) i`;

/** What a claim costs over a thousand to a million runs that have finished: a database each, and claims take turns. */
export async function benchHistory(url: string): Promise<void> {
  const histories = [];
  for (const size of SIZES)
    histories.push(await historyOf(await freshDatabase(url, `history_${size}`), size));
  const rows = await takeTurns(histories, 15);
  for (const { close } of histories) await close();
  console.log("\na claim of ten runs, over so many that have finished");
  for (const { name, p50Ms } of rows) console.log(`  ${name.padStart(9)}  p50 ${p50Ms?.toFixed(2)} ms`);
  const growth = (rows.at(-1)?.p50Ms ?? 1) / (rows[0]?.p50Ms ?? 1);
  const exponent = Math.log(growth) / Math.log((SIZES.at(-1) ?? 1) / (SIZES[0] ?? 1));
  console.log(`  → exponent (below 0.1): ${exponent.toFixed(3)}`);
}

async function historyOf(database: string, size: number) {
  await (await openHoldfast({ database })).close();
  const pool = new pg.Pool({ connectionString: database, max: 2 });
  const db = fromPg(pool);
  const worker = { leaseSeconds: 3600, host: "bench", pid: process.pid, version: "0" };
  const number = (await registerWorker(db, worker)) ?? 0;
  await pool.query(FINISHED, [1, size]);
  await pool.query("vacuum analyze holdfast.runs");
  const line = { agent: "history", version: undefined, isNewest: true, cap: undefined };
  let block = 0;
  return {
    name: size.toLocaleString("en"),
    async block() {
      await pool.query(QUEUED, [`${block++}/`]);
      return await oneByOne(20, () => claim(db, { number, name: "bench" }, [line], 10));
    },
    close: () => db.close(),
  };
}
