import type { Blob } from "../ledger/entry.ts";
import type { Queryable } from "./database.ts";

const GET = /* sql */ `
select hash, value
  from holdfast.blobs
 where run = $1
   and hash = any ($2)`;

/** The blobs of a run that have these hashes. One that is missing is missing from the answer. */
export async function getBlobs(
  db: Queryable,
  run: string,
  hashes: readonly string[],
): Promise<Map<string, string>> {
  if (hashes.length === 0) return new Map();
  const { rows } = await db.query<{ hash: string; value: string }>(GET, [run, hashes]);
  return new Map(rows.map(({ hash, value }) => [hash, value]));
}

const PUT = /* sql */ `
insert into holdfast.blobs (run, hash, value)
select $1::bigint, hash, value
  from unnest($2::text[], $3::text[]) as blob (hash, value)
    on conflict do nothing`;

/** Parts of requests that are too many to travel with the entry that names them: they go first, and harm nobody alone. */
export async function putBlobs(db: Queryable, run: string, blobs: readonly Blob[]): Promise<void> {
  await db.query(PUT, [run, blobs.map(({ hash }) => hash), blobs.map(({ value }) => value)]);
}
