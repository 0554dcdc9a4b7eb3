import type { Queryable, RunStatus, WaitingOn } from "@holdfast/core";

/** The most runs that are shown of one graph. */
const MOST = 500;

// From the run along dependencies in both directions, until there are no more.
const GRAPH = /* sql */ `
with recursive reached (run) as (
  select run from holdfast.runs where run_id = $1
   union
  select case when d.run = r.run then d.on_run else d.run end
    from reached r
    join holdfast.dependencies d on r.run in (d.run, d.on_run)
), nodes as (
  select run from reached limit $2
)
select (select coalesce(json_agg(json_build_object('id', r.run_id, 'agent', r.agent, 'status', r.status,
                                                   'waitingOn', r.waiting_on) order by r.run), '[]')
          from nodes join holdfast.runs r using (run)) as nodes,
       (select coalesce(json_agg(json_build_object('from', f.run_id, 'to', t.run_id, 'name', d.name,
                                                   'onFailure', d.on_failure, 'ended', d.ended)
                                 order by d.on_run, d.run), '[]')
          from holdfast.dependencies d
          join holdfast.runs f on f.run = d.on_run
          join holdfast.runs t on t.run = d.run
         where d.run in (select run from nodes)
           and d.on_run in (select run from nodes)) as edges`;

/** The runs that a run comes after, and that come after it, and so on. */
export interface FlowGraph {
  readonly nodes: {
    readonly id: string;
    readonly agent: string | null;
    readonly status: RunStatus;
    readonly waitingOn: WaitingOn | null;
  }[];
  /** `to` comes after `from`, and knows what it returned as `name`. */
  readonly edges: {
    readonly from: string;
    readonly to: string;
    readonly name: string;
    readonly onFailure: "skip" | "fail" | "tell";
    readonly ended: boolean;
  }[];
}

export async function getGraph(db: Queryable, runId: string): Promise<FlowGraph | undefined> {
  const graph = (await db.query<FlowGraph>(GRAPH, [runId, MOST])).rows[0];
  return graph && graph.nodes.length > 0 ? graph : undefined;
}
