import { randomBytes } from "node:crypto";
import pg from "pg";
import { expect, onTestFinished, test } from "vitest";
import { freshDatabase } from "../../../test/fresh-database.ts";
import { openHoldfast } from "../src/index.ts";
import { migrations } from "../src/store/migrations.generated.ts";
import { child, ended } from "./child.ts";

const applied = "select version, name, checksum from holdfast.migrations order by version";
const known = migrations.map(({ version, name, checksum }) => ({ version, name, checksum }));

/** A database for one test, and a way to look into it. */
async function anEmptyDatabase() {
  const fresh = await freshDatabase();
  const { url } = fresh;
  const pool = new pg.Pool({ connectionString: url });
  pool.on("error", () => {});
  onTestFinished(async () => {
    await pool.end();
    await fresh.drop();
  });
  return { url, sql: async (text: string, values?: unknown[]) => (await pool.query(text, values)).rows };
}

async function aMigratedDatabase() {
  const database = await anEmptyDatabase();
  await open(database.url);
  return database;
}

/** Opens and closes again: all that is of interest is whether it opens. */
async function open(database: string, options: { migrate?: boolean } = {}): Promise<void> {
  const holdfast = await openHoldfast({ database, ...options });
  await holdfast.close();
}

test("ten processes that start at once all find the schema, and one of them made it", async () => {
  const { url, sql } = await anEmptyDatabase();
  const exits = await Promise.all(Array.from({ length: 10 }, () => ended(child("open-and-close.ts", url))));
  expect(exits).toEqual(exits.map(() => ({ code: 0, complaint: "" })));
  expect(await sql(applied)).toEqual(known);
}, 60_000);

test("ten that open in one process at once all find the schema, and one of them made it", async () => {
  const { url, sql } = await anEmptyDatabase();
  await Promise.all(Array.from({ length: 10 }, () => open(url)));
  expect(await sql(applied)).toEqual(known);
}, 30_000);

test("opening again changes nothing", async () => {
  const { url, sql } = await aMigratedDatabase();
  const when = "select at from holdfast.migrations order by version";
  const before = await sql(when);
  await open(url);
  expect(await sql(when)).toEqual(before);
});

test.each([true, false])("a schema that is newer than the code is refused, migrate: %s", async (migrate) => {
  const { url, sql } = await aMigratedDatabase();
  await sql("insert into holdfast.migrations (version, name, checksum) values ($1, 'later', 'c')", [
    known.length + 1,
  ]);
  await expect(open(url, { migrate })).rejects.toThrow("(SCHEMA_TOO_NEW)");
});

test.each([true, false])(
  "a migration that was edited once applied is refused, migrate: %s",
  async (migrate) => {
    const { url, sql } = await aMigratedDatabase();
    await sql("update holdfast.migrations set checksum = 'another' where version = 1");
    await expect(open(url, { migrate })).rejects.toThrow(/was it edited.*\(INVALID_ARGUMENT\)/);
  },
);

test("an empty database is too old for one that may not migrate", async () => {
  const { url, sql } = await anEmptyDatabase();
  await expect(open(url, { migrate: false })).rejects.toMatchObject({
    code: "SCHEMA_TOO_OLD",
    details: { found: 0, needed: known.length },
  });
  expect(await sql("select from information_schema.schemata where schema_name = 'holdfast'")).toEqual([]);
});

test("a schema that lacks the last migration is too old for one that may not migrate", async () => {
  const { url, sql } = await aMigratedDatabase();
  await sql("delete from holdfast.migrations where version = (select max(version) from holdfast.migrations)");
  await expect(open(url, { migrate: false })).rejects.toThrow("(SCHEMA_TOO_OLD)");
});

test("a migration that fails leaves nothing behind", async () => {
  const { url, sql } = await anEmptyDatabase();
  await sql("create schema holdfast");
  await sql("create table holdfast.entries (mine int)"); // in the way of the first migration
  await expect(open(url)).rejects.toMatchObject({ code: "42P07" });
  expect(
    await sql("select to_regclass('holdfast.runs') as runs, to_regclass('holdfast.migrations') as m"),
  ).toEqual([{ runs: null, m: null }]);
});

test("what limits have counted before their windows slid counts on, as if it were new", async () => {
  const { sql } = await anEmptyDatabase();
  const sliding = migrations.findIndex(({ name }) => name === "sliding-counts");
  await sql("create schema holdfast");
  for (const migration of migrations.slice(0, sliding)) await sql(migration.sql);
  await sql(`insert into holdfast.counts (rule, under, since, used)
             values ('refunds', 'tenant:acme', date_trunc('hour', now(), 'UTC'), 3),
                    ('refunds', 'tenant:acme', now() - interval '3 days', 9)`);
  await sql(migrations[sliding]?.sql ?? "");
  const counted = `select under, holdfast.counted(used, holdfast.slot(per, now()) - slot)::int as n
                     from holdfast.counts where rule = 'refunds' and per = 'hour'`;
  expect(await sql(counted)).toEqual([{ under: "tenant:acme", n: 3 }]);
});

test("a role that may create nothing works with migrate: false", async () => {
  const { url, sql } = await aMigratedDatabase();
  const role = `holdfast_test_${randomBytes(6).toString("hex")}`;
  await sql(`create role ${role} login password 'secret'`);
  onTestFinished(async () => {
    await sql(`revoke all on all tables in schema holdfast from ${role}`);
    await sql(`revoke all on schema holdfast from ${role}`);
    await sql(`drop role ${role}`);
  });
  await sql(`grant usage on schema holdfast to ${role}`);
  await sql(`grant select on all tables in schema holdfast to ${role}`);
  await sql(`grant insert on holdfast.entries to ${role}`);
  await sql(
    `grant insert, update, delete on holdfast.runs, holdfast.workers, holdfast.dependencies, holdfast.dead_letters to ${role}`,
  );
  const asRole = new URL(url);
  asRole.username = role;
  asRole.password = "secret";

  const holdfast = await openHoldfast({ database: asRole.href, migrate: false });
  try {
    expect(await holdfast.run("by-role", () => 42)).toBe(42);
  } finally {
    await holdfast.close();
  }
});
