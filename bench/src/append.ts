import pg from "pg";
import { Appender } from "../../packages/core/src/appender.ts";
import { encode } from "../../packages/core/src/codec.ts";
import type { Fact } from "../../packages/core/src/ledger/entry.ts";
import type { Lease } from "../../packages/core/src/store/ledger.ts";
import { migrate } from "../../packages/core/src/store/migrate.ts";
import { fromPg } from "../../packages/core/src/store/pg.ts";
import { oneByOne, print, sideBySide, takeTurns } from "./measure.ts";

/** One durable point, about 2 KB, against a plain insert of the same body into a like table. */
export async function benchAppend(url: string): Promise<void> {
  const pool = new pg.Pool({ connectionString: url, max: 64 });
  pool.on("error", () => {});
  const db = fromPg(new pg.Pool({ connectionString: url, max: 10 }));
  await migrate(db);
  await pool.query(`drop table if exists plain_entries`);
  await pool.query(`create table plain_entries (like holdfast.entries including all)`);

  const body = "x".repeat(2000);
  const value = encode({ text: body });
  const small = JSON.stringify({ call: "tool", name: "tool", digest: "d", ok: true });
  const fact: Fact = {
    kind: "observation",
    step: "generateText.0/model#0/tool:call",
    call: "tool",
    name: "tool",
    digest: "d",
    ok: true,
    value,
  };

  let plain = 0;
  const insert = (run: number) =>
    pool.query({
      name: "plain",
      text: `insert into plain_entries (run, seq, epoch, at, kind, step, body, value) values ($1, $2, 1, now(), $3, $4, $5, $6)`,
      values: [run, ++plain, fact.kind, "generateText.0/model#0/tool:call", small, value],
    });

  const appender = new Appender(db);
  const leases = await makeRuns(pool, 256);
  const numbers = new Map<string, number>();
  const append = (lease: Lease) => {
    const number = (numbers.get(lease.run) ?? 0) + 1;
    numbers.set(lease.run, number);
    return appender.append({ lease, number, facts: [fact] });
  };

  const [first] = leases;
  const single = await takeTurns([
    { name: "plain insert, prepared, autocommit", block: () => oneByOne(1000, () => insert(1)) },
    { name: "holdfast, a durable point", block: () => oneByOne(1000, () => append(first as Lease)) },
  ]);
  print("one run at a time, 2 KB", single, {
    "p50 against a plain insert (at most 1.3)": `${((single[1]?.p50Ms ?? 0) / (single[0]?.p50Ms ?? 1)).toFixed(2)}×`,
  });

  for (const [runs, atLeast] of [
    [64, 1.5],
    [256, 2],
  ] as const) {
    const many = await takeTurns([
      {
        name: `plain inserts, pool of 64, ${runs} at once`,
        block: () => sideBySide(runs, 6400, (lane) => insert(lane)),
      },
      {
        name: `holdfast, ${runs} runs`,
        block: () => sideBySide(runs, 6400, (lane) => append(leases[lane] as Lease)),
      },
    ]);
    print(`${runs} runs at once, 2 KB`, many, {
      [`points per second (at least ${atLeast})`]: `${((many[1]?.perSecond ?? 0) / (many[0]?.perSecond ?? 1)).toFixed(2)}×`,
    });
  }
  await pool.end();
  await db.close();
}

async function makeRuns(pool: pg.Pool, count: number): Promise<Lease[]> {
  const leases: Lease[] = [];
  for (let i = 0; i < count; i++) {
    const { rows } = await pool.query<{ run: string; run_id: string }>(
      `insert into holdfast.runs (run_id, inline, status, epoch, leased_by) values ($1, true, 'running', 1, 1) returning run, run_id`,
      [`bench-${process.pid}-${i}-${Math.random()}`],
    );
    const [row] = rows;
    if (row) leases.push({ run: row.run, runId: row.run_id, epoch: 1 });
  }
  return leases;
}
