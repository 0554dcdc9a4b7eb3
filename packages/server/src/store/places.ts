import type { Queryable } from "@holdfast/core";

/** How far a run is. */
export interface Place {
  readonly seq: number;
  readonly ended: boolean;
}

const GET = /* sql */ `
select run_id as "runId", seq, finished_at is not null as ended
  from holdfast.runs
 where run_id = any ($1::text[])`;

export async function getPlaces(db: Queryable, runIds: readonly string[]): Promise<Map<string, Place>> {
  const { rows } = await db.query<Place & { runId: string }>(GET, [runIds]);
  return new Map(rows.map(({ runId, seq, ended }) => [runId, { seq, ended }]));
}
