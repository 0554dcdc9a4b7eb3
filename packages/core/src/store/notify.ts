import type { Queryable } from "./database.ts";

/** What there is to look at. Nothing of any run travels. */
export type Topic = "queued" | "commanded";

export const CHANNEL = "holdfast";

const NOTIFY = /* sql */ `select pg_notify('holdfast', topic) from unnest($1::text[]) as topic`;

export async function notify(db: Queryable, topics: readonly Topic[]): Promise<void> {
  await db.query(NOTIFY, [topics]);
}

/** On which is told that runs have moved on, for those who follow them. */
export const MOVED = "holdfast_moved";

const NOTIFY_MOVED = /* sql */ `select pg_notify('holdfast_moved', '')`;

export async function notifyMoved(db: Queryable): Promise<void> {
  await db.query(NOTIFY_MOVED);
}

/** Shows that somebody listens there, for as long as the session lasts: 1214669924 is 'Hfa$' as a number. */
export const SHOW = /* sql */ `select pg_advisory_lock_shared(1214669924, 0)`;

const IS_LISTENED_ON = /* sql */ `
select exists (select
                 from pg_locks
                where locktype = 'advisory'
                  and database = (select oid from pg_database where datname = current_database())
                  and classid  = 1214669924
                  and objsubid = 2) as listened`;

export async function isListenedOn(db: Queryable): Promise<boolean> {
  return (await db.query<{ listened: boolean }>(IS_LISTENED_ON)).rows[0]?.listened ?? false;
}
