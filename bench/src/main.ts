import { arch, cpus, platform, release, totalmem } from "node:os";
import { startEmbeddedPostgres } from "@holdfast/embedded-postgres";
import pg from "pg";
import { benchAdapter } from "./adapter.ts";
import { benchAppend } from "./append.ts";
import { benchHistory } from "./history.ts";
import { benchQueue } from "./queue.ts";
import { benchRecover } from "./recover.ts";
import { benchReplay } from "./replay.ts";
import { benchRun } from "./run.ts";
import { benchStorage } from "./storage.ts";
import { benchWake } from "./wake.ts";

/*
 * pnpm bench [append | run | replay | storage | queue | wake | recover | history | adapter …]: ratios measured side by side in one run, on DATABASE_URL or, without it, on the
 * embedded server, fsync on. Only ratios carry over to another machine.
 */
const benches: Record<string, (url: string) => Promise<void>> = {
  append: benchAppend,
  run: benchRun,
  replay: benchReplay,
  storage: benchStorage,
  adapter: benchAdapter,
  queue: benchQueue,
  wake: benchWake,
  recover: benchRecover,
  history: benchHistory,
};

const asked = process.argv.slice(2);
const names = asked.length > 0 ? asked : Object.keys(benches);
const server = process.env.DATABASE_URL ? undefined : await startEmbeddedPostgres();
const url = process.env.DATABASE_URL || server?.url;
if (!url) throw new Error("no database");

const client = new pg.Client({ connectionString: url });
await client.connect();
const { rows } = await client.query<{ version: string; fsync: string }>(
  `select version(), current_setting('fsync') as fsync`,
);
await client.end();
console.log(
  new Date().toISOString().slice(0, 10),
  `${platform()} ${release()} ${arch()},`,
  cpus().length,
  "cores,",
  Math.round(totalmem() / 2 ** 30),
  "GiB, Node",
  process.version,
);
console.log(rows[0]?.version, "· fsync", rows[0]?.fsync);

for (const name of names) {
  const bench = benches[name];
  if (!bench) throw new Error(`no bench ${name}; there are ${Object.keys(benches).join(", ")}`);
  await bench(url);
}
await server?.stop();
process.exit(0);
