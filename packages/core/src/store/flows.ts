import type { Queryable } from "./database.ts";

const RECORD = /* sql */ `
insert into holdfast.flows (flow_id, name, started_by)
values ($1, $2, $3)
    on conflict do nothing`;

/** Of two that start the same flow, the second waits here for the first. */
export async function recordFlow(
  tx: Queryable,
  flow: { readonly id: string; readonly name: string; readonly by: string | undefined },
): Promise<void> {
  await tx.query(RECORD, [flow.id, flow.name, flow.by ?? null]);
}

const RECORD_RUNS = /* sql */ `
insert into holdfast.flow_runs (run, flow, node)
select r.run, f.flow, named.node
  from unnest($2::text[], $3::text[]) as named (node, run_id)
  join holdfast.runs  r on r.run_id  = named.run_id
  join holdfast.flows f on f.flow_id = $1
    on conflict do nothing`;

export async function recordFlowRuns(
  tx: Queryable,
  id: string,
  runs: ReadonlyMap<string, string>,
): Promise<void> {
  await tx.query(RECORD_RUNS, [id, [...runs.keys()], [...runs.values()]]);
}
