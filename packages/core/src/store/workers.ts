import type { Queryable } from "./database.ts";

/*
 * A worker's row and its session lock. These run on the heartbeat's own connection, in its own thread.
 * Durations travel, instants do not: the database's clock decides when a lease ends.
 */

const REGISTER = /* sql */ `
insert into holdfast.workers (until, host, pid, version)
values (now() + make_interval(secs => $1), $2, $3, $4)
returning worker`;

export async function registerWorker(
  db: Queryable,
  { leaseSeconds, host, pid, version }: { leaseSeconds: number; host: string; pid: number; version: string },
): Promise<number | undefined> {
  const { rows } = await db.query<{ worker: number }>(REGISTER, [leaseSeconds, host, pid, version]);
  return rows[0]?.worker;
}

// 1214669921 is 'Hfa!' as a number; the second half of the lock is the worker.
const LOCK = /* sql */ `
select pg_try_advisory_lock(1214669921, $1) as locked, holdfast.incarnation() as incarnation`;

/** Takes the session lock that shows others this worker is there. Gives back the server's life it was taken in. */
export async function lockWorker(db: Queryable, worker: number): Promise<string | undefined> {
  const { rows } = await db.query<{ locked: boolean; incarnation: string }>(LOCK, [worker]);
  return rows[0]?.locked ? rows[0].incarnation : undefined;
}

const BEAT = /* sql */ `
update holdfast.workers
   set until     = now() + make_interval(secs => $2),
       beats     = beats + 1,
       locked_in = $3
 where worker = $1
returning array(select run || '/' || epoch from holdfast.runs where leased_by = $1) as leases`;

/** One row keeps all of a worker's runs. Gives back what it leases, as `run/epoch`, or nothing where its row is gone. */
export async function beat(
  db: Queryable,
  worker: number,
  leaseSeconds: number,
  lockedIn: string | undefined,
): Promise<string[] | undefined> {
  const { rows } = await db.query<{ leases: string[] }>(BEAT, [worker, leaseSeconds, lockedIn ?? null]);
  return rows[0]?.leases;
}

const RETIRE = /* sql */ `
delete from holdfast.workers
 where worker = $1
   and not exists (select from holdfast.runs where leased_by = $1)`;

/** The worker leaves. Its row stays while it leases something: others then wait for the time to live. */
export async function retireWorker(db: Queryable, worker: number): Promise<void> {
  await db.query(RETIRE, [worker]);
}

// Rows of workers that were killed. Whoever leases something stays until its runs were taken from it.
const FORGET = /* sql */ `
delete from holdfast.workers
 where worker in (select w.worker
                    from holdfast.workers w
                   where w.until < now() - interval '1 hour'
                     and not exists (select from holdfast.runs r where r.leased_by = w.worker)
                   order by w.worker
                   limit 1000
                     for update skip locked)`;

/** Forgets workers that have been dead for an hour and lease nothing, at most 1,000. One that lives after all begins anew. */
export async function forgetWorkers(db: Queryable): Promise<void> {
  await db.query(FORGET);
}

const WITH_AGENT = /* sql */ `
select host || ':' || pid as name
  from holdfast.workers
 where until > now()
   and agents @> jsonb_build_array(jsonb_build_object('name', $1::text))
 order by worker desc
 limit 3`;

/** Living workers that have an agent of this name, as `host:pid`: a few of them. */
export async function workersWith(db: Queryable, agent: string): Promise<string[]> {
  return (await db.query<{ name: string }>(WITH_AGENT, [agent])).rows.map(({ name }) => name);
}
