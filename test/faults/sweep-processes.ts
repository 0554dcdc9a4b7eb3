import { randomBytes } from "node:crypto";
import { openHoldfast } from "@holdfast/core";
import pg from "pg";
import { Child } from "../process.ts";
import { tools } from "./agent.ts";
import { differences, entriesOf, finish, undisturbed } from "./finish.ts";
import { pointsOf } from "./point.ts";
import { WorldServer } from "./world.ts";

/*
 * pnpm sweep: kills a real process before and after each statement of a run, finishes the run in another, and compares
 * what came of it with an undisturbed run. Prints an account; ends with 1 where anything differs.
 */

const AT_ONCE = 3;

const server = process.env.DATABASE_URL ?? (await startServer());
const name = `holdfast_sweep_${randomBytes(6).toString("hex")}`;
await onServer(`create database ${name}`);
const url = new URL(server);
url.pathname = `/${name}`;
const database = url.href;
const started = performance.now();

const healthy = await openHoldfast({ database, tools, graceSeconds: 0.1 });
const lived = await undisturbed(healthy, "undisturbed");
const counted = await live(Number.POSITIVE_INFINITY, "before", "counted");
const statements = Number((await counted.child.says("done")).statements);
counted.server.close();

const points = pointsOf(statements);
const account = { statements, deaths: 0, answersPaidAgain: 0, doubtsDecided: 0 };
const found: string[] = [];
const tryNext = async (): Promise<void> => {
  for (let point = points.shift(); point; point = points.shift()) {
    const runId = `${point.when}-${point.at}`;
    const { child, server } = await live(point.at, point.when, runId);
    if ((await child.exited()).signal === "SIGKILL") account.deaths++;
    const { world } = server;
    const left = await entriesOf(healthy, runId);
    const paidBefore = world.paid.length;
    const value = await finish(healthy, runId, world);
    const entries = await healthy.entries(runId);
    server.close();
    const differ = differences({ value, world, left, entries, paidBefore }, lived);
    found.push(...differ.map((difference) => `${runId}: ${difference}`));
    account.answersPaidAgain += world.paid.length - lived.world.paid.length;
    account.doubtsDecided += entries.filter(({ kind }) => kind === "resolution").length;
  }
};
await Promise.all(Array.from({ length: AT_ONCE }, tryNext));

await healthy.close();
await onServer(`drop database ${name} with (force)`);
const seconds = Math.round((performance.now() - started) / 1000);
for (const difference of found) console.log(difference);
console.log(JSON.stringify({ ...account, differences: found.length, seconds }));
if (account.deaths < 2 * statements - 10)
  console.log("Too few of the processes died: the sweep has swept nothing.");
process.exit(found.length > 0 || account.deaths < 2 * statements - 10 ? 1 : 0);

/** A process that dies at a statement of the run, and the world that it acts on. */
async function live(at: number, when: string, runId: string): Promise<{ child: Child; server: WorldServer }> {
  const server = new WorldServer();
  const world = await server.listen();
  return { child: new Child("faults/sweep-worker.ts", [database, runId, world, String(at), when]), server };
}

async function startServer(): Promise<string> {
  const { startEmbeddedPostgres } = await import("@holdfast/embedded-postgres");
  return (await startEmbeddedPostgres({ durable: false })).url;
}

async function onServer(sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: server });
  await client.connect();
  await client.query(sql);
  await client.end();
}
