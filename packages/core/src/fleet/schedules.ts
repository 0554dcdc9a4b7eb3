import { Cron } from "croner";
import { checkBy } from "../by.ts";
import { decode, encode } from "../codec.ts";
import { HoldfastError } from "../errors.ts";
import type { Database } from "../store/database.ts";
import {
  advanceSchedule,
  type DueRow,
  dueSchedules,
  type Missed,
  putSchedule,
  removeSchedule,
  timeOf,
} from "../store/schedules.ts";
import type { Agent } from "./agent.ts";
import type { Shared } from "./host.ts";
import { queuedOf, queueOnce } from "./start.ts";

export interface ScheduleOptions<Raw> {
  /** Five fields, or six with seconds first, as croner reads them: `0 3 * * *`, `@daily`, `0 9 * * MON-FRI`. */
  readonly cron: string;
  /** An IANA time zone: `Europe/Berlin`. Default UTC. */
  readonly timezone?: string | undefined;
  readonly agent: Agent<Raw>;
  readonly input?: Raw | undefined;
  /**
   * What is done about times that passed while no worker was there: `skip` them, run `one` for all of them (default), or run
   * `all`, at most the last 1,000.
   */
  readonly missed?: Missed | undefined;
  /** Who says so: it stands in the audit. Default `hf.schedule`. */
  readonly by?: string | undefined;
}

/** A time that nobody started within so long was missed. */
const MISSED_AFTER_MS = 60_000;
const MOST_MISSED = 1_000;

/** Throws INVALID_ARGUMENT for a pattern or time zone that is none. */
export async function schedule<Raw>(
  fleet: Shared,
  name: string,
  { cron, timezone = "UTC", agent, input, missed = "one", by = "hf.schedule" }: ScheduleOptions<Raw>,
): Promise<void> {
  const argument = `schedule("${name}")`;
  if (typeof name !== "string" || name === "") {
    throw new HoldfastError("INVALID_ARGUMENT", { argument, why: "must have a name that is not empty" });
  }
  if (missed !== "skip" && missed !== "one" && missed !== "all") {
    const why = 'has a missed that is none of "skip", "one", "all"';
    throw new HoldfastError("INVALID_ARGUMENT", { argument, why });
  }
  checkBy(by);
  const db = await fleet.host.db();
  const checked = await agent.check(input as Raw);
  const kept = checked === undefined ? undefined : fleet.host.settings.redactor.apply("input", checked);
  const now = await timeOf(db);
  let nextAt: Date | null;
  try {
    nextAt = nextTime({ cron, timezone }, now);
  } catch (error) {
    const why = `is none that croner reads: ${error instanceof Error ? error.message : String(error)}`;
    throw new HoldfastError("INVALID_ARGUMENT", { argument, why }, { cause: error });
  }
  const row = {
    ...{ name, cron, timezone, agent: agent.name, version: agent.version ?? null, missed, nextAt },
    input: kept === undefined ? null : encode(kept),
  };
  await putSchedule(db, row, by);
}

export async function unschedule(fleet: Shared, name: string, by: string): Promise<boolean> {
  checkBy(by);
  return await removeSchedule(await fleet.host.db(), name, by);
}

/**
 * Starts what is due. Each time has a key of its own, so that workers which see the same one start it once, and one that dies
 * in between leaves it to the next. One schedule that cannot be started stops no other: what stopped the first is thrown at
 * the end.
 */
export async function startDue(fleet: Shared, db: Database): Promise<void> {
  const failed: unknown[] = [];
  for (const row of await dueSchedules(db)) {
    await startTimes(fleet, db, row).catch((error: unknown) => failed.push(error));
  }
  if (failed.length > 0) throw failed[0];
}

async function startTimes(fleet: Shared, db: Database, row: DueRow): Promise<void> {
  const { times, next } = timesOf(row, row.nextAt, row.now);
  const input = row.input === null ? undefined : decode(row.input);
  const agent = { name: row.agent, version: row.version ?? undefined };
  for (const time of times) {
    const tag = `schedule:${row.name}`;
    const options = { key: `${row.name}@${time.toISOString()}`, tags: [tag], by: tag };
    const queued = { ...(await queuedOf(fleet, agent, input, options)), queueLimit: undefined };
    // Started already, with the input that it had then: who started it died before it could say so, and a deploy came after.
    await queueOnce(db, queued).catch(unlessThere);
  }
  await advanceSchedule(db, row, next);
  if (times.length > 0) fleet.notifier(db).tell("queued");
}

function unlessThere(error: unknown): void {
  if (!(error instanceof HoldfastError && error.code === "RUN_EXISTS_DIFFERENT")) throw error;
}

interface Pattern {
  readonly cron: string;
  readonly timezone: string;
}

/** Which of the times from `first` to `now` are started, and when it goes on. */
export function timesOf(
  { missed, ...pattern }: Pattern & { readonly missed: Missed },
  first: Date,
  now: Date,
): { times: Date[]; next: Date | null } {
  const times: Date[] = [];
  let time: Date | null = first;
  while (time !== null && time <= now) {
    times.push(time);
    if (times.length > MOST_MISSED) times.shift();
    time = nextTime(pattern, time);
  }
  const last = times.slice(-1);
  switch (missed) {
    case "all":
      return { times, next: time };
    case "one":
      return { times: last, next: time };
    case "skip":
      return { times: last.filter((each) => now.getTime() - each.getTime() < MISSED_AFTER_MS), next: time };
  }
}

/** The first time after this one. Throws for a pattern that is none. */
function nextTime({ cron, timezone }: Pattern, after: Date): Date | null {
  return new Cron(cron, { timezone, paused: true }).nextRun(after);
}
