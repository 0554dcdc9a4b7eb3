import type { Queryable } from "@holdfast/core";
import type { Finding } from "./check.ts";

/** A run that was worked on for so long without an entry. */
const STUCK_SECONDS = 600;
/** How many runs a finding names. */
const NAMED = 3;

const EXPIRED = /* sql */ `
select r.run_id as "runId"
  from holdfast.runs r
  left join holdfast.workers w on w.worker = r.leased_by
 where r.leased_by is not null
   and (w.worker is null or w.until < now())
 order by r.run
 limit 1000`;

const STUCK = /* sql */ `
select r.run_id as "runId"
  from holdfast.runs r
  join holdfast.workers w on w.worker = r.leased_by and w.until > now()
 where now() - (select max(e.at) from holdfast.entries e where e.run = r.run and e.seq = r.seq)
       > make_interval(secs => $1)
 order by r.run
 limit 1000`;

const WAITING = /* sql */ `
select run_id as "runId"
  from holdfast.runs
 where status = 'waiting'
   and waiting_on = $1
 order by run
 limit 1000`;

const QUEUED = /* sql */ `
select r.run_id as "runId"
  from holdfast.runs r
  join holdfast.entries e using (run, seq)
 where r.status = 'queued'
   and r.command is null
   and e.at < now() - interval '1 minute'
 order by r.run
 limit 1000`;

const DEAD = /* sql */ `
select run_id as "runId"
  from holdfast.dead_letters
  join holdfast.runs using (run)
 order by run
 limit 1000`;

/** Runs that somebody should look at. */
export async function checkRuns(db: Queryable): Promise<Finding[]> {
  const looks = [
    [
      "expired leases",
      EXPIRED,
      [],
      "holdfast why <run>: a worker takes them over, or a call of hf.run with their id",
    ],
    ["stuck runs", STUCK, [STUCK_SECONDS], "holdfast why <run>: a call without timeoutMs may take for ever"],
    ["doubts", WAITING, ["doubt"], "holdfast doubts, then holdfast resolve"],
    ["runs left by their caller", WAITING, ["caller"], "call hf.run with their ids again"],
    ["dead letters", DEAD, [], "holdfast dead-letters, then holdfast redrive"],
    ["runs queued for over a minute", QUEUED, [], "start a worker that has their agents"],
  ] as const;
  const findings: Finding[] = [];
  for (const [name, sql, values, todo] of looks) {
    const { rows } = await db.query<{ runId: string }>(sql, values);
    findings.push(
      rows.length === 0 ? { name, is: "ok", says: "none" } : { name, is: "warning", says: named(rows), todo },
    );
  }
  return findings;
}

function named(rows: readonly { runId: string }[]): string {
  const names = rows.slice(0, NAMED).map(({ runId }) => runId);
  return `${rows.length}: ${names.join(", ")}${rows.length > NAMED ? ", …" : ""}`;
}
