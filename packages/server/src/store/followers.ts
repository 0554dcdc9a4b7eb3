import type { Queryable } from "@holdfast/core";

type Query = Pick<Queryable, "query">;

const BEGIN = /* sql */ `
insert into holdfast.followers (name, place)
values ($1, $2)
    on conflict do nothing`;

/** Begins to follow at a place, unless it does already. */
export async function beginFollower(db: Query, name: string, place: string): Promise<void> {
  await db.query(BEGIN, [name, place]);
}

const TAKE = /* sql */ `
select place, failures
  from holdfast.followers
 where name = $1
   and next_at <= now()
   for update skip locked`;

/** Where it is, held until the transaction ends. Undefined: another server has it, or its time has not come. */
export async function takeFollower(
  tx: Query,
  name: string,
): Promise<{ place: string; failures: number } | undefined> {
  return (await tx.query<{ place: string; failures: number }>(TAKE, [name])).rows[0];
}

const MOVE = /* sql */ `
update holdfast.followers
   set place    = $2,
       failures = $3,
       next_at  = now() + make_interval(secs => $4),
       error    = $5
 where name = $1`;

export async function moveFollower(
  tx: Query,
  name: string,
  to: { place: string; failures: number; waitSeconds: number; error: string | undefined },
): Promise<void> {
  await tx.query(MOVE, [name, to.place, to.failures, to.waitSeconds, to.error ?? null]);
}
