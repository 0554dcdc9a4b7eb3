-- Flows: runs that were started together, under a name. What comes after what
-- stands in `dependencies`; here is which runs belong together.

create table holdfast.flows (
  flow       bigint      generated always as identity primary key,
  flow_id    text        not null unique,  -- name/key: the same again is the same flow
  name       text        not null,
  started_by text,
  created_at timestamptz not null default now()
);

create index flows_by_name on holdfast.flows (name, flow desc);

create table holdfast.flow_runs (
  run  bigint primary key references holdfast.runs on delete cascade,
  flow bigint not null references holdfast.flows,
  node text   not null  -- the run's name in the flow
);

create index flow_runs_by_flow on holdfast.flow_runs (flow);
