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
