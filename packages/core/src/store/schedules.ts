import type { Encoded } from "../codec.ts";
import { recordDeed } from "./audit.ts";
import type { Database, Queryable } from "./database.ts";

/** What is done about times that passed while nobody was there. */
export type Missed = "skip" | "one" | "all";

export interface ScheduleRow {
  readonly name: string;
  readonly cron: string;
  readonly timezone: string;
  readonly agent: string;
  readonly version: string | null;
  readonly missed: Missed;
  readonly input: Encoded | null;
  readonly nextAt: Date | null;
}

const NOW = /* sql */ `select now()`;

/** The time by the only clock that counts. */
export async function timeOf(db: Queryable): Promise<Date> {
  const { rows } = await db.query<{ now: Date }>(NOW);
  return rows[0]?.now ?? new Date();
}

// The same schedule again keeps its next time: a deploy neither brings it forward nor skips it.
const PUT = /* sql */ `
insert into holdfast.schedules as s (name, cron, timezone, agent, version, missed, input, next_at)
values ($1, $2, $3, $4, $5, $6, $7, $8)
    on conflict (name) do update
   set agent = excluded.agent, version = excluded.version, missed = excluded.missed, input = excluded.input,
       next_at  = case when (s.cron, s.timezone) = (excluded.cron, excluded.timezone) then s.next_at else excluded.next_at end,
       cron     = excluded.cron,
       timezone = excluded.timezone
 where (s.cron, s.timezone, s.agent, s.version, s.missed, s.input) is distinct from
       (excluded.cron, excluded.timezone, excluded.agent, excluded.version, excluded.missed, excluded.input)
returning name`;

/** What says what is there already changes nothing, and is no deed. */
export async function putSchedule(db: Database, row: ScheduleRow, by: string): Promise<void> {
  const { name, cron, timezone, agent, version, missed, input, nextAt } = row;
  await db.transaction(async (tx) => {
    const { rows } = await tx.query(PUT, [name, cron, timezone, agent, version, missed, input, nextAt]);
    if (rows.length === 0) return;
    await recordDeed(tx, by, { did: "schedule", about: { name, cron, timezone, agent, version, missed } });
  });
}

const REMOVE = /* sql */ `delete from holdfast.schedules where name = $1 returning name`;

export async function removeSchedule(db: Database, name: string, by: string): Promise<boolean> {
  return await db.transaction(async (tx) => {
    const isRemoved = (await tx.query(REMOVE, [name])).rows.length > 0;
    if (isRemoved) await recordDeed(tx, by, { did: "unschedule", about: { name } });
    return isRemoved;
  });
}

const DUE = /* sql */ `
select name, cron, timezone, agent, version, missed, input, next_at as "nextAt", now() as now
  from holdfast.schedules
 where next_at <= now()
 order by next_at
 limit 100`;

/** A schedule whose time has come. */
export interface DueRow extends ScheduleRow {
  readonly nextAt: Date;
  readonly now: Date;
}

export async function dueSchedules(db: Queryable): Promise<DueRow[]> {
  return (await db.query<DueRow>(DUE)).rows;
}

// A Date has milliseconds, a timestamptz microseconds: a time that somebody set by hand is still found.
const ADVANCE = /* sql */ `
update holdfast.schedules
   set next_at = $3
 where name    = $1
   and date_trunc('milliseconds', next_at) = $2`;

/** Its runs are started: it goes on from the next time, unless somebody else has said so already. */
export async function advanceSchedule(
  db: Queryable,
  { name, nextAt }: Pick<ScheduleRow, "name" | "nextAt">,
  next: Date | null,
): Promise<void> {
  await db.query(ADVANCE, [name, nextAt, next]);
}
