import type { Queryable } from "./database.ts";

/** What a worker of the fleet sees when it looks around. */
export interface Sight {
  /** Workers that hold leases and whose session lock is gone, with their beats. */
  readonly gone: readonly { readonly worker: number; readonly beats: string }[];
  /** Somebody's time to live is over, and they hold leases. */
  readonly over: boolean;
  /** The time of some run has come. */
  readonly due: boolean;
  /** In how many milliseconds the next one's comes. */
  readonly nextMs: number | null;
  /** A run has ended that another waits for. */
  readonly ended: boolean;
  /** It is time for some schedule. */
  readonly scheduled: boolean;
  /** There are runs of this worker's agents to be claimed. */
  readonly queued: boolean;
  /** What the other living workers have. */
  readonly others: readonly { readonly name: string; readonly version?: string }[];
}

// One statement, and each part of it reads an index that holds nothing else: an idle look costs the same whatever has
// finished. The locks are read once for all workers.
const LOOK = /* sql */ `
with held as materialized (
  select objid::bigint as worker
    from pg_locks
   where locktype = 'advisory'
     and database = (select oid from pg_database where datname = current_database())
     and classid  = 1214669921
     and objsubid = 2
     and granted
), other as materialized (
  select w.worker, w.beats, w.until > now() as alive, w.locked_in, w.agents,
         exists (select from holdfast.runs r where r.leased_by = w.worker) as leases
    from holdfast.workers w
   where w.worker <> $1
)
select coalesce((select json_agg(json_build_object('worker', worker, 'beats', beats::text))
                   from other
                  where leases
                    and locked_in = holdfast.incarnation()
                    and worker not in (select worker from held)), '[]') as gone,
       exists (select from other where leases and not alive) as over,
       exists (select from holdfast.runs where status = 'waiting' and run_at <= now()) as due,
       (select ceil(extract(epoch from run_at - now()) * 1000)::float8
          from holdfast.runs
         where status = 'waiting' and run_at > now() and run_at < now() + interval '1 hour'
         order by run_at
         limit 1) as "nextMs",
       exists (select from holdfast.dependencies where ended and not told) as ended,
       exists (select from holdfast.schedules where next_at <= now()) as scheduled,
       exists (select from holdfast.runs
                where status = 'queued' and command is null and agent = any ($2::text[])) as queued,
       coalesce((select json_agg(distinct agent)
                   from other, jsonb_array_elements(agents) as agent
                  where alive), '[]') as others`;

export async function lookAround(db: Queryable, worker: number, agents: readonly string[]): Promise<Sight> {
  const { rows } = await db.query<Sight>(LOOK, [worker, agents]);
  return rows[0] as Sight; // a statement without a from has one row
}

const REGISTER = /* sql */ `update holdfast.workers set agents = $2::jsonb where worker = $1`;

/** Says what this worker has: those that have an older version then leave it alone. */
export async function registerAgents(
  db: Queryable,
  worker: number,
  agents: readonly { readonly name: string; readonly version: string | undefined }[],
): Promise<void> {
  await db.query(REGISTER, [worker, JSON.stringify(agents)]);
}
