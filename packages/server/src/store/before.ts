import type { Queryable } from "@holdfast/core";
import type { Place } from "../cursor.ts";

const CREATED = /* sql */ `select created_at as "createdAt" from holdfast.runs where run = $1`;

/** When a run was created: of a fork, not when the run was that it begins with. */
export async function getStart(db: Queryable, { run }: Place): Promise<Date | undefined> {
  return (await db.query<{ createdAt: Date }>(CREATED, [run])).rows[0]?.createdAt;
}

// A time or an id that was recorded has no duration: nothing was called.
const RECORDED = /* sql */ `
select count(*) over ()::int as calls, seq, epoch, at, step, body
  from holdfast.entries
 where run = $1
   and seq < $2
   and kind = 'observation'
   and holdfast.body_of(body) ->> 'ms' is not null
 order by seq desc
 limit $3`;

/** A call that was on record. */
export interface RecordedCall {
  readonly seq: number;
  readonly step: string;
  readonly body: string;
}

/** How many calls were on record before an entry, and the last of them. */
export async function getRecorded(
  db: Queryable,
  { run, seq }: Place,
  most: number,
): Promise<{ calls: number; last: RecordedCall[] }> {
  const { rows } = await db.query<RecordedCall & { calls: number }>(RECORDED, [run, seq, most]);
  return { calls: rows[0]?.calls ?? 0, last: rows.toReversed() };
}

// What stood on record when somebody took a run over, step by step. The entry before is the one that queued the run.
const TAKEN = /* sql */ `
select t.run, t.seq, r.inline, before.at as "queuedAt", recorded.*
  from unnest($1::bigint[], $2::int[]) as t (run, seq)
  join holdfast.runs r using (run)
  join holdfast.entries before on before.run = t.run and before.seq = t.seq - 1
 cross join lateral (
       select count(*) filter (where call = 'model')::int as model,
              count(*) filter (where call = 'tool')::int  as tool,
              count(*) filter (where call = 'step')::int  as step,
              count(*) filter (where call is not null and effect <> 'read')::int as effects
         from (select max(holdfast.body_of(body) ->> 'call') filter (where kind = 'observation' and holdfast.body_of(body) ->> 'ms' is not null) as call,
                      max(holdfast.body_of(body) ->> 'effect') filter (where kind = 'intent') as effect
                 from holdfast.entries e
                where e.run = t.run
                  and e.seq < t.seq
                  and e.kind in ('intent', 'observation')
                group by e.step) steps
       ) recorded`;

/** What stood on record of a run when its epoch began. */
export interface Taken extends Place {
  readonly inline: boolean;
  readonly queuedAt: Date;
  /** Calls, by what was called. */
  readonly model: number;
  readonly tool: number;
  readonly step: number;
  /** Those among them that had an effect. */
  readonly effects: number;
}

export async function getTaken(db: Queryable, places: readonly Place[]): Promise<Taken[]> {
  if (places.length === 0) return [];
  const { rows } = await db.query<Taken>(TAKEN, [places.map(({ run }) => run), places.map(({ seq }) => seq)]);
  return rows;
}
