import type { Encoded } from "../codec.ts";
import type { Outcome } from "../ledger/entry.ts";
import type { RunStatus } from "../run/status.ts";
import type { Queryable } from "./database.ts";

const ENDED = /* sql */ `
select r.run_id as "runId", r.status, r.pruned_at is not null as pruned,
       e.body, e.value
  from unnest($1::text[]) as asked (run_id)
  join holdfast.runs r using (run_id)
  left join lateral (select body, value
                       from holdfast.entries
                      where run = r.run
                        and kind = 'outcome'
                      order by seq desc
                      limit 1) e on true
 where r.finished_at is not null`;

/** How a run has ended. */
export interface End {
  readonly runId: string;
  readonly status: Extract<RunStatus, "succeeded" | "failed" | "cancelled" | "dead">;
  /** Its entries are gone, and its value with them. */
  readonly pruned: boolean;
  readonly reason: string | undefined;
  readonly value: Encoded | undefined;
}

/** Those of these runs that have ended. */
export async function endsOf(db: Queryable, runIds: readonly string[]): Promise<End[]> {
  const { rows } = await db.query<
    Pick<End, "runId" | "status" | "pruned"> & { body: string | null; value: Encoded | null }
  >(ENDED, [runIds]);
  return rows.map(({ body, value, ...end }) => {
    const outcome = body === null ? undefined : (JSON.parse(body) as Outcome);
    return { ...end, reason: outcome?.reason, value: value ?? undefined };
  });
}
