import { randomBytes } from "node:crypto";
import { current, openHoldfast, step } from "@holdfast/core";
import { HoldfastSaver } from "@holdfast/langgraph";
import { withDurability } from "@holdfast/vercel-ai";
import { PostgresSaver } from "@langchain/langgraph-checkpoint-postgres";
import * as plain from "ai";
import pg from "pg";
import { agent } from "./agent.ts";
import { graphOn, stepsOn } from "./graph.ts";
import { oneByOne, print, takeTurns } from "./measure.ts";
import { workflowOn } from "./workflow.ts";

const NAME = "holdfast_bench_storage";

const result = () => randomBytes(3072).toString("base64");

/** What a conversation of so many turns costs on disk, with tool results of 4 KB that do not compress. */
export async function benchStorage(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const ai = withDurability(plain);

  console.log("\nstorage: turns of a model and a tool with 4 KB that do not compress");
  const holdfast = await growth(url, "holdfast, through the AI SDK", [100, 200, 500, 1000], async (at) => {
    const hf = await openHoldfast({ database: at });
    return {
      agent: (turns) => hf.run("r", () => agent(ai, turns, result)),
      close: () => hf.close(),
    };
  });
  console.log(`  → 200 turns (at most 3 MB): ${(holdfast.at(1)?.megabytes ?? 0).toFixed(2)} MB`);
  console.log(`  → exponent from 100 to 1000 turns (at most 1.05): ${exponentOf(holdfast).toFixed(2)}`);
  // What grows with the square is not measured to its end.
  for (const [name, turns, open] of [
    ["HoldfastSaver, a graph", [100, 200, 500, 1000], (at: string) => graphOn(new HoldfastSaver(at), result)],
    ["DBOS 5.3.0, a workflow", [100, 200, 500, 1000], workflowOn],
    [
      "PostgresSaver 1.0.5, a graph",
      [100, 200],
      (at: string) => graphOn(PostgresSaver.fromConnString(at), result),
    ],
  ] as const) {
    const measured = await growth(url, name, turns, open);
    console.log(`  → exponent: ${exponentOf(measured).toFixed(2)}`);
  }

  console.log("\nstorage: super-steps of a graph with one message of 1 KB each that does not compress");
  const message = () => randomBytes(768).toString("base64");
  const mine = await growth(url, "HoldfastSaver", [50, 100, 200, 400], (at) =>
    stepsOn(new HoldfastSaver(at), message),
  );
  const theirs = await growth(url, "PostgresSaver 1.0.5", [50, 100, 200, 400], (at) =>
    stepsOn(PostgresSaver.fromConnString(at), message),
  );
  const [last, lastOfTheirs] = [mine.at(-1)?.megabytes ?? 0, theirs.at(-1)?.megabytes ?? 0];
  console.log(
    `  → 400 super-steps (at most 2.5 MB): ${last.toFixed(2)} MB, and ${lastOfTheirs.toFixed(1)} MB`,
  );
  console.log(`  → exponents: ${exponentOf(mine).toFixed(2)} and ${exponentOf(theirs).toFixed(2)}`);

  await client.query(`drop table if exists plain_results`);
  await client.query(
    `create table plain_results (id bigint generated always as identity primary key, value text)`,
  );
  const large = { text: randomBytes(37_500).toString("base64") };
  const text = JSON.stringify(large);
  const hf = await openHoldfast({ database: url });
  let run = 0;
  const rows = await takeTurns([
    {
      name: "plain insert of 50 KB",
      block: () =>
        oneByOne(200, () =>
          client.query({ name: "p", text: "insert into plain_results (value) values ($1)", values: [text] }),
        ),
    },
    {
      // The observation alone: a model call has no intent.
      name: "holdfast, a result of 50 KB, durable",
      block: () =>
        hf.run(`50k-${process.pid}-${Date.now()}-${run++}`, async () => {
          const port = current();
          if (!port) throw new Error("outside a run");
          await step("warm", () => 0);
          return await oneByOne(200, async () => {
            const begun = await port.begin({ kind: "model", name: "m", input: {} });
            if (begun.at === "live") await begun.commit(large, { durable: true });
          });
        }),
    },
  ]);
  print("a result of 50 KB", rows, {
    "p50 against a plain insert (at most 1.5)": `${((rows[1]?.p50Ms ?? 0) / (rows[0]?.p50Ms ?? 1)).toFixed(2)}×`,
  });
  await hf.close();
  await client.end();
}

/** Something that does turns, or steps, on a database of its own. */
interface Opened {
  readonly agent: (turns: number) => Promise<unknown>;
  readonly close: () => Promise<void>;
}

interface Size {
  readonly turns: number;
  readonly megabytes: number;
}

/** What each number of turns takes, in a new database each time. */
async function growth(
  url: string,
  name: string,
  numbers: readonly number[],
  open: (at: string) => Promise<Opened>,
): Promise<Size[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const sizes: Size[] = [];
  for (const turns of numbers) {
    await client.query(`drop database if exists ${NAME} with (force)`);
    await client.query(`create database ${NAME}`);
    const at = new URL(url);
    at.pathname = `/${NAME}`;
    const { agent, close } = await open(at.href);
    const before = await bytesIn(at.href);
    await agent(turns);
    await close();
    const megabytes = ((await bytesIn(at.href)) - before) / 1e6;
    sizes.push({ turns, megabytes });
    console.log(`  ${name.padEnd(32)} ${String(turns).padStart(5)} ${megabytes.toFixed(2).padStart(8)} MB`);
  }
  await client.query(`drop database if exists ${NAME} with (force)`);
  await client.end();
  return sizes;
}

/** By which power of the turns the size grows, from the fewest to the most. */
function exponentOf(sizes: readonly Size[]): number {
  const [first, last] = [sizes[0], sizes.at(-1)];
  if (!first || !last) return Number.NaN;
  return Math.log(last.megabytes / first.megabytes) / Math.log(last.turns / first.turns);
}

/** All tables with their indexes and what is stored aside. */
async function bytesIn(url: string): Promise<number> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const { rows } = await client.query<{ bytes: string }>(
    `select coalesce(sum(pg_total_relation_size(relid)), 0) as bytes from pg_stat_user_tables`,
  );
  await client.end();
  return Number(rows[0]?.bytes);
}
