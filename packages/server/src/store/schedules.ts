import type { Queryable } from "@holdfast/core";

const LIST = /* sql */ `
select name, cron, timezone, agent, version, missed, next_at as "nextAt"
  from holdfast.schedules
 order by name
 limit 1000`;

export interface ListedSchedule {
  readonly name: string;
  readonly cron: string;
  readonly timezone: string;
  readonly agent: string;
  readonly version: string | null;
  readonly missed: "skip" | "one" | "all";
  /** Null: there is no next time. */
  readonly nextAt: Date | null;
}

export async function listSchedules(db: Queryable): Promise<ListedSchedule[]> {
  return (await db.query<ListedSchedule>(LIST)).rows;
}
