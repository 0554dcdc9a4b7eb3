import type { Queryable } from "@holdfast/core";

const LIST = /* sql */ `
select w.worker, w.host, w.pid, w.version, w.started_at as "startedAt", w.until, w.until > now() as alive,
       count(r.run)::int as leases
  from holdfast.workers w
  left join holdfast.runs r on r.leased_by = w.worker
 group by w.worker
having w.until > now() or count(r.run) > 0
 order by w.worker
 limit 1000`;

/** The workers that are alive, and those whose leases nobody has taken over yet. */
export async function listWorkers(db: Queryable) {
  const { rows } = await db.query<{
    worker: number;
    host: string;
    pid: number;
    version: string;
    startedAt: Date;
    until: Date;
    alive: boolean;
    leases: number;
  }>(LIST);
  return rows.map((row) => ({
    ...row,
    startedAt: row.startedAt.toISOString(),
    until: row.until.toISOString(),
  }));
}
