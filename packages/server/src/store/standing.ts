import type { Queryable, RunStatus, WaitingOn } from "@holdfast/core";

/** Where a run stands with those who could move it on. Seconds are the database's. */
export interface Standing {
  readonly status: RunStatus;
  readonly waitingOn: WaitingOn | null;
  readonly agent: string | null;
  readonly inline: boolean;
  /** Somebody has told it to pause or to stop. */
  readonly command: "pause" | "cancel" | null;
  /** Until its time comes, where it waits for one. */
  readonly wakesInSeconds: number | null;
  /** Since its last entry. */
  readonly quietSeconds: number | null;
  /** Of a run that is leased. */
  readonly owner: string | null;
  readonly ownerIsAlive: boolean | null;
  /** Living workers that have its agent. */
  readonly workersAlive: number;
}

const GET = /* sql */ `
select r.status, r.waiting_on as "waitingOn", r.agent, r.inline,
       r.command,
       case when isfinite(r.run_at) then extract(epoch from r.run_at - now())::float8 end as "wakesInSeconds",
       (select extract(epoch from now() - e.at)::float8
          from holdfast.entries e
         where e.run = r.run
         order by e.seq desc
         limit 1) as "quietSeconds",
       case when r.leased_by is not null then coalesce(w.host || ':' || w.pid, 'a worker whose row is gone') end as owner,
       case when r.leased_by is not null then coalesce(w.until > now(), false) end as "ownerIsAlive",
       (select count(*)::int
          from holdfast.workers
         where until > now()
           and agents @> jsonb_build_array(jsonb_build_object('name', r.agent))) as "workersAlive"
  from holdfast.runs r
  left join holdfast.workers w on w.worker = r.leased_by
 where r.run_id = $1`;

export async function getStanding(db: Queryable, runId: string): Promise<Standing | undefined> {
  const { rows } = await db.query<Standing>(GET, [runId]);
  return rows[0];
}
