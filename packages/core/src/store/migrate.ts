import { HoldfastError } from "../errors.ts";
import type { Database, Queryable } from "./database.ts";
import { migrations } from "./migrations.generated.ts";

/** One process migrates at a time; the others wait here and then find nothing to do. 'hfmg' as a number. */
const LOCK = /* sql */ `select pg_advisory_xact_lock(1751543143)`;

const EXISTS = /* sql */ `select to_regclass('holdfast.migrations') is not null as found`;

const CREATE = /* sql */ `
create schema if not exists holdfast;
create table if not exists holdfast.migrations (
  version  int primary key,
  name     text        not null,
  checksum text        not null,
  at       timestamptz not null default now()
)`;

const APPLIED = /* sql */ `select version, name, checksum from holdfast.migrations order by version`;

const APPLY = /* sql */ `insert into holdfast.migrations (version, name, checksum) values ($1, $2, $3)`;

/**
 * Brings the schema `holdfast` up to what this code knows: each migration once, in one transaction with the note that it
 * was made, whoever starts at the same time. Throws SCHEMA_TOO_NEW where the schema is ahead of the code.
 */
export async function migrate(db: Database): Promise<void> {
  if ((await versionOf(db)) === known) return;
  await db.transaction(async (tx) => {
    await tx.query(LOCK);
    await tx.script(CREATE);
    const applied = await check(tx);
    for (const { version, name, sql, checksum } of migrations.slice(applied)) {
      await tx.script(sql);
      await tx.query(APPLY, [version, name, checksum]);
    }
  });
}

/** For roles that may not migrate. Throws SCHEMA_TOO_OLD or SCHEMA_TOO_NEW unless the schema is what this code knows. */
export async function checkSchema(db: Database): Promise<void> {
  const found = await versionOf(db);
  if (found < known) throw new HoldfastError("SCHEMA_TOO_OLD", { found, needed: known });
}

const known = migrations.length;

async function versionOf(db: Queryable): Promise<number> {
  const { rows } = await db.query<{ found: boolean }>(EXISTS);
  return rows[0]?.found ? await check(db) : 0;
}

/** How many migrations are applied. Each must be the one this code has under that number. */
async function check(db: Queryable): Promise<number> {
  const { rows } = await db.query<{ version: number; name: string; checksum: string }>(APPLIED);
  if (rows.length > known) throw new HoldfastError("SCHEMA_TOO_NEW", { found: rows.length, known });
  for (const [i, { version, name, checksum }] of rows.entries()) {
    const mine = migrations[i];
    if (mine?.version !== version || mine.checksum !== checksum) {
      const why = `has another migration ${version} (${name}) than this code: was it edited after it was applied?`;
      throw new HoldfastError("INVALID_ARGUMENT", { argument: "The schema holdfast", why });
    }
  }
  return rows.length;
}
