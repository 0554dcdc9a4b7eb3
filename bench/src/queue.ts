import { setTimeout as pause } from "node:timers/promises";
import { DBOS, DBOSClient } from "@dbos-inc/dbos-sdk";
import { openHoldfast } from "@holdfast/core";
import { Logger, makeWorkerUtils, run } from "graphile-worker";
import pg from "pg";
import { freshDatabase } from "./database.ts";
import { type Block, type Contestant, print, sideBySide, takeTurns } from "./measure.ts";

/** No-op runs that are drained in one block. */
const RUNS = 4_000;

/**
 * How many queued no-op runs one process drains per second: all are enqueued before, the clock runs from the moment in which
 * the worker is told to begin until the database says that all are done.
 */
export async function benchQueue(url: string): Promise<void> {
  const contestants = [
    await onHoldfast(await freshDatabase(url, "queue")),
    await onDbos(await freshDatabase(url, "dbos_queue")),
    await onGraphile(await freshDatabase(url, "graphile")),
  ];
  const rows = await takeTurns(contestants, 5);
  const against = (i: number) => `${((rows[0]?.perSecond ?? 0) / (rows[i]?.perSecond ?? 1)).toFixed(2)}×`;
  print(`${RUNS} queued no-op runs, one process`, rows, {
    "runs per second against DBOS (at least 2)": against(1),
    "against graphile-worker, which keeps no ledger": against(2),
  });
  for (const { close } of contestants) await close();
}

interface Queue extends Contestant {
  readonly close: () => Promise<void>;
}

async function onHoldfast(database: string): Promise<Queue> {
  const hf = await openHoldfast({ database });
  const left = await counting(database, "select count(*) from holdfast.runs where finished_at is null");
  let block = 0;
  return {
    name: "holdfast: start, takeover and outcome on record",
    async block() {
      const agent = hf.agent(`noop ${block++}`, () => {});
      await sideBySide(64, RUNS, () => hf.start(agent, undefined));
      const worker = hf.worker({ agents: [agent.name], concurrency: 1000 });
      const drained = await timed(() => worker.start(), left);
      await worker.stop();
      return drained;
    },
    async close() {
      await left.close();
      await hf.close();
    },
  };
}

async function onDbos(systemDatabaseUrl: string): Promise<Queue> {
  DBOS.setConfig({ name: "bench", systemDatabaseUrl, logLevel: "error" });
  DBOS.registerWorkflow(async () => {}, { name: "noop" });
  await DBOS.launch();
  const client = await DBOSClient.create({ systemDatabaseUrl });
  const left = await counting(
    systemDatabaseUrl,
    "select count(*) from dbos.workflow_status where status in ('ENQUEUED', 'PENDING')",
  );
  let block = 0;
  return {
    name: "DBOS 5.3.0 queue, polling every 10 ms",
    async block() {
      // A queue that nobody serves until it is registered.
      const queueName = `bench ${block++}`;
      await sideBySide(32, RUNS, () => client.enqueue({ queueName, workflowName: "noop" }));
      return await timed(() => DBOS.registerQueue(queueName, { minPollingIntervalMs: 10 }), left);
    },
    async close() {
      await left.close();
      await client.destroy();
      await DBOS.shutdown();
    },
  };
}

async function onGraphile(connectionString: string): Promise<Queue> {
  const utils = await makeWorkerUtils({ connectionString });
  await utils.migrate();
  const left = await counting(connectionString, "select count(*) from graphile_worker.jobs");
  return {
    name: "graphile-worker 0.18.0, batched (no ledger)",
    async block() {
      await utils.addJobs(Array.from({ length: RUNS }, () => ({ identifier: "noop", payload: {} })));
      let stop = async () => {};
      const drained = await timed(async () => {
        const runner = await run({
          preset: {
            worker: {
              connectionString,
              concurrentJobs: 24,
              localQueue: { size: 500 },
              completeJobBatchDelay: 0,
              failJobBatchDelay: 0,
            },
          },
          noHandleSignals: true,
          logger: new Logger(() => () => {}),
          taskList: { noop: async () => {} },
        });
        stop = () => runner.stop();
      }, left);
      await stop();
      return drained;
    },
    async close() {
      await left.close();
      await utils.release();
    },
  };
}

interface Counting {
  readonly count: () => Promise<number>;
  readonly close: () => Promise<void>;
}

async function counting(connectionString: string, text: string): Promise<Counting> {
  const client = new pg.Client({ connectionString });
  await client.connect();
  return {
    count: async () => Number((await client.query<{ count: string }>(text)).rows[0]?.count),
    close: () => client.end(),
  };
}

/** From the moment in which it is told to begin until nothing is left. */
async function timed(begin: () => Promise<unknown>, left: Counting): Promise<Block> {
  const started = performance.now();
  await begin();
  while ((await left.count()) > 0) await pause(10);
  return { parts: RUNS, seconds: (performance.now() - started) / 1000 };
}
