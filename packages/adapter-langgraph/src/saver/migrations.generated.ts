// Generated from packages/adapter-langgraph/sql by scripts/inline-sql.ts. Do not edit; run: pnpm sql

export const migrations: readonly {
  readonly version: number;
  readonly name: string;
  readonly checksum: string;
  readonly sql: string;
}[] = [
  {
    version: 1,
    name: "checkpoints",
    checksum: "5d79a9db0471f37a95466ea57b5cbc86eec827a9bf839d93d79579e648d5b950",
    sql: `-- What LangGraph keeps of a thread, for HoldfastSaver.
--
-- A checkpoint names its values; what is named is kept once a thread under the
-- hash of its content, lists by their items. So a history that grows costs what
-- is new in it, and a fork has its own values whatever their channels' versions.
--
-- Lock order: \`runs\` (the fence), then \`threads\`, then anything else. A writer
-- holds its thread \`for key share\`; who deletes parts holds it \`for update\`.

create table holdfast.threads (
  thread    bigint generated always as identity primary key,  -- short, because all below is keyed by it
  thread_id text not null unique,                             -- as callers name it
  sweeps    int  not null default 0                           -- raised when parts were deleted: nobody may still rely on them
);

create table holdfast.checkpoints (
  thread   bigint not null,
  ns       text   not null,
  id       text   collate "C" not null,  -- of LangGraph: grows with time
  parent   text,
  body     text   not null,              -- JSON: the checkpoint, its values by name (src/saver/parts.ts)
  metadata text   not null,              -- JSON
  primary key (thread, ns, id)
);

create table holdfast.checkpoint_writes (
  thread  bigint not null,
  ns      text   not null,
  id      text   not null,               -- of the checkpoint, which may come later than its writes
  task    text   collate "C" not null,
  idx     int    not null,               -- below zero: one of LangGraph's own, of which the last counts
  path    text   collate "C" not null,   -- of the task in its graph
  channel text   not null,
  value   text   not null,               -- JSON: the value by name
  primary key (thread, ns, id, task, idx)
);

create table holdfast.checkpoint_parts (
  thread bigint   not null,
  hash   text     collate "C" not null,  -- what is hashed stands in src/saver/parts.ts
  height smallint not null,              -- 0: a value; 1 and more: a piece of a list, JSON that names what is in it
  type   text     not null,              -- of the serializer; '' for a piece of a list
  bytes  bytea    not null,
  primary key (thread, hash)
);

do $$
begin
  if exists (select from pg_settings where name = 'default_toast_compression' and 'lz4' = any (enumvals)) then
    alter table holdfast.checkpoints       alter column body  set compression lz4;
    alter table holdfast.checkpoint_writes alter column value set compression lz4;
    alter table holdfast.checkpoint_parts  alter column bytes set compression lz4;
  end if;
end $$;
`,
  },
  {
    version: 2,
    name: "thread-runs",
    checksum: "7c0baf0881b7a6d50210fa9c0cf8bf11ffffce1d89552c1ad2f899db3363203d",
    sql: `-- Which runs the calls on a thread were, for withDurability: each call looks for
-- the last one. A run is noted before it is begun, so that of several processes
-- with a new input each takes the same number, and one gets the run.

create table holdfast.thread_runs (
  thread_id text not null,   -- as callers name it
  n         int  not null,   -- 1, 2, 3, … a thread
  run_id    text not null,
  primary key (thread_id, n)
);
`,
  },
];
