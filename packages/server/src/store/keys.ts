import { HoldfastError, type Queryable } from "@holdfast/core";
import type { Key, Scope } from "../keys.ts";

/** The most keys that are good at once: it stands in the statements too, which are prepared as they are. */
const MOST = 1_000;

const LIST = /* sql */ `
select name, hash, scopes, created_at as "createdAt"
  from holdfast.api_keys
 where revoked_at is null
 order by name
 limit 1000`;

export async function listKeys(db: Query): Promise<(Key & { createdAt: Date })[]> {
  return (await db.query<{ name: string; hash: string; scopes: Scope[]; createdAt: Date }>(LIST)).rows;
}

const CREATE = /* sql */ `
insert into holdfast.api_keys (name, hash, scopes)
select $1, $2, $3
 where (select count(*) from holdfast.api_keys where revoked_at is null) < 1000
on conflict do nothing
returning name`;

/** Keeps a new key. Throws INVALID_ARGUMENT for a name that a key has or had: what it did stands under it. */
export async function createKey(db: Query, { name, hash, scopes }: Key): Promise<void> {
  const { rows } = await db.query(CREATE, [name, hash, scopes]);
  if (rows.length > 0) return;
  const why = `has a name that another key has or had, or is one too many (${MOST})`;
  throw new HoldfastError("INVALID_ARGUMENT", { argument: `The key ${name}`, why });
}

const REVOKE = /* sql */ `
with revoked as (
  update holdfast.api_keys
     set revoked_at = now()
   where name = $1
     and revoked_at is null
  returning name
), signed_out as (
  delete from holdfast.api_sessions where key in (select name from revoked)
)
select name from revoked`;

/** Takes a key back, and signs out who signed in with it. False: there is no such key that is good. */
export async function revokeKey(db: Query, name: string): Promise<boolean> {
  return (await db.query(REVOKE, [name])).rows.length > 0;
}

type Query = Pick<Queryable, "query">;
