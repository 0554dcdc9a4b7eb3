import type { Queryable } from "@holdfast/core";

const LIST = /* sql */ `
with offered as (
  select a ->> 'name' as name, a ->> 'version' as version, count(*)::int as workers
    from holdfast.workers, jsonb_array_elements(agents) a
   where until > now()
   group by 1, 2
), unfinished as (
  select agent as name, 'queued' as status from holdfast.runs where status = 'queued' and agent is not null
   union all
  select agent, 'running' from holdfast.runs where leased_by is not null and agent is not null
   union all
  select agent, 'waiting' from holdfast.runs where status = 'waiting' and agent is not null
), counted as (
  select name,
         count(*) filter (where status = 'queued')::int  as queued,
         count(*) filter (where status = 'running')::int as running,
         count(*) filter (where status = 'waiting')::int as waiting
    from unfinished
   group by name
)
select name, coalesce(queued, 0) as queued, coalesce(running, 0) as running, coalesce(waiting, 0) as waiting,
       coalesce((select json_agg(json_build_object('version', version, 'workers', workers) order by version)
                   from offered o where o.name = names.name), '[]') as versions
  from (select name from offered union select name from counted) names
  left join counted using (name)
 order by name
 limit 1000`;

/** An agent, as far as there are living workers that have it, or runs of it that have not ended. */
export interface OfferedAgent {
  readonly name: string;
  /** The versions that living workers have. */
  readonly versions: { readonly version: string | null; readonly workers: number }[];
  readonly queued: number;
  readonly running: number;
  readonly waiting: number;
}

export async function listAgents(db: Queryable): Promise<OfferedAgent[]> {
  return (await db.query<OfferedAgent>(LIST)).rows;
}

const IS_KNOWN = /* sql */ `
select exists (select
                 from holdfast.workers
                where agents @> jsonb_build_array(jsonb_build_object('name', $1::text))) as known`;

/** Has any worker registered an agent of this name, be it alive or not? */
export async function isKnownAgent(db: Queryable, name: string): Promise<boolean> {
  return (await db.query<{ known: boolean }>(IS_KNOWN, [name])).rows[0]?.known ?? false;
}
