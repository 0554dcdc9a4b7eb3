import { openHoldfast } from "@holdfast/core";
import { crashing } from "@holdfast/core/testing";
import pg from "pg";
import { settleOrders, tools } from "./agent.ts";
import { ofTheRun } from "./point.ts";
import { worldAt } from "./world.ts";

/** Works on a run until its kth statement, and kills itself there. argv: database, run id, world, k, before or after */
const [database, runId, world, at, when] = process.argv.slice(2) as [
  string,
  string,
  string,
  string,
  "before" | "after",
];
const pool = new pg.Pool({ connectionString: database, max: 10 });
const crash = crashing(pool, {
  at: Number(at),
  when,
  counts: ofTheRun,
  onDeath: () => process.kill(process.pid, "SIGKILL"),
});
const hf = await openHoldfast({ database: crash.pool, migrate: false, tools });
await hf.run(runId, () => settleOrders(worldAt(world)));
await hf.close();
process.stdout.write(`${JSON.stringify({ at: "done", statements: crash.statements })}\n`);
process.exit(0);
