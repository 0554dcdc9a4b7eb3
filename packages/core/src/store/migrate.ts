import { HoldfastError } from "../errors.ts";
import type { Database, Queryable } from "./database.ts";
import { migrations } from "./migrations.generated.ts";

/** One numbered file of SQL. */
export interface Migration {
  readonly version: number;
  readonly name: string;
  readonly checksum: string;
  readonly sql: string;
}

/** The tables that a package keeps beside core's, in the same schema: named for the package, numbered from 1. */
export interface PackageMigrations {
  readonly package: string;
  readonly migrations: readonly Migration[];
}

/** One process migrates at a time; the others wait here and then find nothing to do. 'hfmg' as a number. */
const LOCK = /* sql */ `select pg_advisory_xact_lock(1751543143)`;

const EXISTS = /* sql */ `
select to_regclass('holdfast.migrations') is not null         as core,
       to_regclass('holdfast.package_migrations') is not null as packages`;

const CREATE = /* sql */ `
create schema if not exists holdfast;
create table if not exists holdfast.migrations (
  version  int primary key,
  name     text        not null,
  checksum text        not null,
  at       timestamptz not null default now()
);
create table if not exists holdfast.package_migrations (
  package  text        not null,
  version  int         not null,
  name     text        not null,
  checksum text        not null,
  at       timestamptz not null default now(),
  primary key (package, version)
)`;

const APPLIED = /* sql */ `select version, name, checksum from holdfast.migrations order by version`;

const APPLIED_OF_PACKAGE = /* sql */ `
select version, name, checksum
  from holdfast.package_migrations
 where package = $1
 order by version`;

const APPLY = /* sql */ `insert into holdfast.migrations (version, name, checksum) values ($1, $2, $3)`;

const APPLY_OF_PACKAGE = /* sql */ `
insert into holdfast.package_migrations (version, name, checksum, package) values ($1, $2, $3, $4)`;

/**
 * Brings the schema `holdfast` up to what this code knows: each migration once, in one transaction with the note that it
 * was made, whoever starts at the same time. With `of`, the tables of that package instead of core's. Throws
 * SCHEMA_TOO_NEW where the schema is ahead of the code.
 */
export async function migrate(db: Database, of?: PackageMigrations): Promise<void> {
  const known = of?.migrations ?? migrations;
  if ((await versionOf(db, of)) === known.length) return;
  await db.transaction(async (tx) => {
    await tx.query(LOCK);
    await tx.script(CREATE);
    const applied = await check(tx, of);
    for (const { version, name, sql, checksum } of known.slice(applied)) {
      await tx.script(sql);
      await (of
        ? tx.query(APPLY_OF_PACKAGE, [version, name, checksum, of.package])
        : tx.query(APPLY, [version, name, checksum]));
    }
  });
}

/** For roles that may not migrate. Throws SCHEMA_TOO_OLD or SCHEMA_TOO_NEW unless the schema is what this code knows. */
export async function checkSchema(db: Database, of?: PackageMigrations): Promise<void> {
  const needed = (of?.migrations ?? migrations).length;
  const found = await versionOf(db, of);
  if (found < needed) throw new HoldfastError("SCHEMA_TOO_OLD", { found, needed, package: of?.package });
}

async function versionOf(db: Queryable, of: PackageMigrations | undefined): Promise<number> {
  const { rows } = await db.query<{ core: boolean; packages: boolean }>(EXISTS);
  return (of ? rows[0]?.packages : rows[0]?.core) ? await check(db, of) : 0;
}

/** How many migrations are applied. Each must be the one this code has under that number. */
async function check(db: Queryable, of: PackageMigrations | undefined): Promise<number> {
  const known = of?.migrations ?? migrations;
  const { rows } = await (of
    ? db.query<Omit<Migration, "sql">>(APPLIED_OF_PACKAGE, [of.package])
    : db.query<Omit<Migration, "sql">>(APPLIED));
  if (rows.length > known.length) {
    throw new HoldfastError("SCHEMA_TOO_NEW", {
      found: rows.length,
      known: known.length,
      package: of?.package,
    });
  }
  for (const [i, { version, name, checksum }] of rows.entries()) {
    const mine = known[i];
    if (mine?.version !== version || mine.checksum !== checksum) {
      const why = `has another migration ${version} (${name}) than this code: was it edited after it was applied?`;
      const argument = of ? `The schema holdfast, tables of ${of.package},` : "The schema holdfast";
      throw new HoldfastError("INVALID_ARGUMENT", { argument, why });
    }
  }
  return rows.length;
}
