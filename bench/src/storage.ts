import { randomBytes } from "node:crypto";
import { current, openHoldfast, step } from "@holdfast/core";
import { withDurability } from "@holdfast/vercel-ai";
import * as plain from "ai";
import pg from "pg";
import { agent } from "./agent.ts";
import { oneByOne, print, takeTurns } from "./measure.ts";

const TABLES = ["runs", "entries", "blobs"];

/** What a conversation of so many turns costs on disk, with tool results of 4 KB that do not compress. */
export async function benchStorage(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const ai = withDurability(plain);
  const name = "holdfast_bench_storage";
  const at = new URL(url);
  at.pathname = `/${name}`;

  console.log("\nstorage: turns of a model and a tool with 4 KB that do not compress, through the AI SDK");
  const megabytes: [number, number][] = [];
  for (const turns of [100, 200, 500, 1000]) {
    await client.query(`drop database if exists ${name} with (force)`);
    await client.query(`create database ${name}`);
    const hf = await openHoldfast({ database: at.href });
    const before = await size(at.href);
    await hf.run("r", () => agent(ai, turns, () => randomBytes(3072).toString("base64")));
    await hf.close();
    const bytes = (await size(at.href)) - before;
    megabytes.push([turns, bytes / 1e6]);
    console.log(`  ${String(turns).padStart(5)} turns ${(bytes / 1e6).toFixed(2).padStart(8)} MB`);
  }
  const at200 = megabytes.find(([turns]) => turns === 200)?.[1] ?? 0;
  console.log(`  → 200 turns (at most 3 MB): ${at200.toFixed(2)} MB`);
  const [[fewer, less], [more, most]] = [megabytes[0] ?? [1, 1], megabytes.at(-1) ?? [1, 1]];
  const exponent = Math.log(most / less) / Math.log(more / fewer);
  console.log(`  → exponent from ${fewer} to ${more} turns (at most 1.05): ${exponent.toFixed(2)}`);

  await client.query(`drop table if exists plain_results`);
  await client.query(
    `create table plain_results (id bigint generated always as identity primary key, value text)`,
  );
  const result = { text: randomBytes(37_500).toString("base64") };
  const text = JSON.stringify(result);
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
            if (begun.at === "live") await begun.commit(result, { durable: true });
          });
        }),
    },
  ]);
  print("a result of 50 KB", rows, {
    "p50 against a plain insert (at most 1.5)": `${((rows[1]?.p50Ms ?? 0) / (rows[0]?.p50Ms ?? 1)).toFixed(2)}×`,
  });
  await hf.close();
  await client.query(`drop database if exists ${name} with (force)`);
  await client.end();
}

async function size(url: string): Promise<number> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const { rows } = await client.query<{ bytes: string }>(
    `select sum(pg_total_relation_size(('holdfast.' || name)::regclass)) as bytes from unnest($1::text[]) as name`,
    [TABLES],
  );
  await client.end();
  return Number(rows[0]?.bytes);
}
