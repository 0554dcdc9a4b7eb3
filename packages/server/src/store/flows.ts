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
                                                   'waitingOn', r.waiting_on, 'name', n.node) order by r.run), '[]')
          from nodes join holdfast.runs r using (run) left join holdfast.flow_runs n using (run)) as nodes,
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
    /** In its flow, where it is of one. */
    readonly name: string | null;
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

// A flow all of whose runs were deleted has nothing to show.
const LIST = /* sql */ `
select f.flow, f.flow_id as id, f.name, f.started_by as by, f.created_at as "createdAt",
       of_it.first as run, of_it.runs
  from holdfast.flows f
 cross join lateral (
       select (array_agg(r.run_id order by r.run))[1] as first,
              json_object_agg(r.status, r.runs) as runs
         from (select status, min(run) as run, (array_agg(run_id order by run))[1] as run_id, count(*)::int as runs
                 from holdfast.flow_runs
                 join holdfast.runs using (run)
                where flow = f.flow
                group by status) r
       ) of_it
 where of_it.runs is not null
   and ($1::text is null or f.name = $1)
   and ($2::bigint is null or f.flow < $2)
 order by f.flow desc
 limit $3`;

/** Runs that were started together, under a name. */
export interface Flow {
  readonly id: string;
  readonly name: string;
  readonly by: string | null;
  readonly createdAt: Date;
  /** One of its runs: the first that was started. */
  readonly run: string;
  /** How many of its runs there are of each status. */
  readonly runs: Readonly<Partial<Record<RunStatus, number>>>;
}

export interface FlowPage {
  readonly flows: readonly Flow[];
  /** Asks for the next page. Undefined on the last. */
  readonly cursor: string | undefined;
}

/** Flows, the newest first. `cursor` is one that a page ended with. */
export async function listFlows(
  db: Queryable,
  {
    name,
    limit = 50,
    cursor,
  }: { name?: string | undefined; limit?: number | undefined; cursor?: string | undefined } = {},
): Promise<FlowPage> {
  const { rows } = await db.query<Flow & { flow: string }>(LIST, [name ?? null, cursor ?? null, limit + 1]);
  const page = rows.slice(0, limit);
  const next = rows.length > limit ? page.at(-1)?.flow : undefined;
  return { flows: page.map(({ flow: _flow, ...flow }) => flow), cursor: next };
}
