import { openHoldfast } from "@holdfast/core";
import { withDurability } from "@holdfast/vercel-ai";
import * as plain from "ai";
import pg from "pg";
import { agent } from "./agent.ts";
import { median } from "./measure.ts";

const STEPS = 1000;
const BLOCKS = 7;

const output = () => "t".repeat(500);

/** Replaying 1,000 recorded steps through the AI SDK, against loading and parsing their rows plus the bare framework. */
export async function benchReplay(url: string): Promise<void> {
  const turns = STEPS / 2;
  const hf = await openHoldfast({ database: url });
  const ai = withDurability(plain);
  const id = `replay-${process.pid}-${Date.now()}`;
  // The SDK's result object is no data: the run is rebuilt from its ledger each time.
  const durable = () => hf.run(id, () => agent(ai, turns, output));
  await durable();

  const pool = new pg.Pool({ connectionString: url, max: 1 });
  const load = async () => {
    const { rows } = await pool.query<{ body: string; value: string | null }>(
      `select e.* from holdfast.entries e join holdfast.runs r using (run) where r.run_id = $1 order by seq`,
      [id],
    );
    for (const { body, value } of rows) {
      JSON.parse(body);
      if (value) JSON.parse(value.replace(/^devalue:/, ""));
    }
    return rows.length;
  };

  const times = { load: [] as number[], bare: [] as number[], replay: [] as number[] };
  for (let i = 0; i < BLOCKS; i++) {
    times.load.push(await time(load));
    times.bare.push(await time(() => agent(plain, turns, output)));
    times.replay.push(await time(durable));
  }
  const [loadMs, bareMs, replayMs] = [median(times.load), median(times.bare), median(times.replay)];
  console.log(`\nreplay of ${STEPS} steps (${turns} turns of a model and a tool) through the AI SDK`);
  console.log(
    `  load and parse their rows ${loadMs.toFixed(1)} ms, bare framework ${bareMs.toFixed(1)} ms, replay ${replayMs.toFixed(1)} ms`,
  );
  console.log(
    `  → against load and framework together (at most 2): ${(replayMs / (loadMs + bareMs)).toFixed(2)}×`,
  );
  await pool.end();
  await hf.close();
}

async function time(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return performance.now() - started;
}
