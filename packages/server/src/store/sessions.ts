import type { Queryable } from "@holdfast/core";

type Query = Pick<Queryable, "query">;

const OPEN = /* sql */ `
with swept as (
  delete from holdfast.api_sessions where until < now()
)
insert into holdfast.api_sessions (hash, key, until)
values ($1, $2, now() + make_interval(secs => $3))`;

/** A browser signs in. What has run out is swept away meanwhile. */
export async function openSession(db: Query, hash: string, key: string, seconds: number): Promise<void> {
  await db.query(OPEN, [hash, key, seconds]);
}

const FIND = /* sql */ `select key from holdfast.api_sessions where hash = $1 and until > now()`;

/** The name of the key that signed in. */
export async function findSession(db: Query, hash: string): Promise<string | undefined> {
  return (await db.query<{ key: string }>(FIND, [hash])).rows[0]?.key;
}

const END = /* sql */ `delete from holdfast.api_sessions where hash = $1`;

export async function endSession(db: Query, hash: string): Promise<void> {
  await db.query(END, [hash]);
}
