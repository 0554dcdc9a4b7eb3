// Generated from packages/core/sql by scripts/inline-sql.ts. Do not edit; run: pnpm sql

export const migrations: readonly {
  readonly version: number;
  readonly name: string;
  readonly checksum: string;
  readonly sql: string;
}[] = [
  {
    version: 1,
    name: "ledger",
    checksum: "93b1afe3236b04f4a356eb39523d0248c9a40675bb66b9dde6b7d56ac0307df5",
    sql: `-- A run, its ledger, and who works on it.
--
-- \`entries\` is the truth; \`runs\` is the head that guards it and finds it. The
-- owner of a run moves the head and inserts its entries in one statement, and
-- only while the head still shows the owner's epoch (see src/store/ledger.ts).
--
-- Lock order, everywhere: \`runs\` by \`run\`, then anything else. \`workers\` is
-- never locked together with \`runs\`: what is read of it is a permission to take
-- over, and what forbids the one taken over from is the epoch.

-- Which life of the server is this? Session locks die with it, so a lock that
-- is missing says nothing about a worker that took it in an earlier life. A
-- crash of one backend restarts all others under the same postmaster, and resets
-- the cumulative statistics as it does.
create function holdfast.incarnation() returns text
  language sql stable as $$
    select extract(epoch from pg_postmaster_start_time())::text
           || '/' || coalesce(extract(epoch from stats_reset)::text, '')
      from pg_stat_bgwriter
$$;

create table holdfast.workers (
  worker     int generated always as identity primary key,  -- also the number of its advisory lock
  until      timestamptz not null,                          -- its leases are good until then
  beats      bigint      not null default 0,
  locked_in  text,                                          -- incarnation in which it holds its lock; null: it holds none
  host       text        not null,
  pid        int         not null,
  version    text        not null,
  started_at timestamptz not null default now()
);

-- Has Postgres seen this worker's session end? A hint for speed, read by others
-- and never taken: pg_locks says who holds the lock 1214669921/worker.
create function holdfast.lock_gone(worker int, locked_in text) returns boolean
  language sql stable as $$
    select coalesce(locked_in = holdfast.incarnation(), false)
       and not exists (
             select from pg_locks
              where locktype = 'advisory'
                and database = (select oid from pg_database where datname = current_database())
                and classid  = 1214669921
                and objid    = worker
                and objsubid = 2
                and granted)
$$;

-- fillfactor and the choice of indexes keep an append's update of the head HOT:
-- nothing indexed changes while a run is being worked on.
create table holdfast.runs (
  run           bigint generated always as identity primary key,  -- short, because \`entries\` is keyed by it
  run_id        text        not null unique,                      -- as callers name it
  agent         text,
  agent_version text,
  inline        boolean     not null,                             -- whoever calls hf.run works on it
  status        text        not null,
  waiting_on    text,
  seq           int         not null default 0,                   -- of the last entry
  epoch         int         not null default 0,                   -- raised by every takeover; the fence
  appends       int         not null default 0,                   -- how many appends the owner made in this epoch
  append_seq    int         not null default 0,                   -- seq of the last entry of the last of them
  leased_by     int,                                              -- the worker that holds the lease
  run_at        timestamptz not null default now(),
  priority      int         not null default 0,
  key           text,
  input_digest  text,
  crashes       int         not null default 0,                   -- since the last epoch with an observation
  retries       int         not null default 0,
  parent        bigint,
  forked_from   bigint,
  fork_seq      int,
  tags          text[]      not null default '{}',
  created_at    timestamptz not null default now(),
  finished_at   timestamptz,

  unique (agent, key),
  check (run_id <> ''),
  check (status in ('queued', 'running', 'waiting', 'succeeded', 'failed', 'cancelled', 'dead')),
  check (waiting_on in ('approval', 'input', 'doubt', 'budget', 'timer', 'dependency', 'caller')),
  check ((status = 'waiting') = (waiting_on is not null)),
  check ((status = 'running') = (leased_by is not null))
) with (fillfactor = 50);

create index runs_by_worker on holdfast.runs (leased_by) where leased_by is not null;
create index runs_by_time   on holdfast.runs (created_at desc, run desc);
create index runs_waiting   on holdfast.runs (waiting_on, run) where status = 'waiting';

-- No foreign key to runs: it costs a third of an append, and the head is moved
-- in the same statement anyway.
create table holdfast.entries (
  run   bigint      not null,
  seq   int         not null check (seq > 0),
  epoch int         not null,
  at    timestamptz not null,
  kind  text        not null,
  step  text,
  body  text        not null,  -- JSON: the entry's small fields
  value text,                  -- the entry's one large field: an input, an output, an error (src/codec.ts)
  primary key (run, seq)
);

-- lz4 writes large bodies twice as fast as pglz; some servers are built without.
do $$
begin
  if exists (select from pg_settings where name = 'default_toast_compression' and 'lz4' = any (enumvals)) then
    alter table holdfast.entries alter column body set compression lz4, alter column value set compression lz4;
  end if;
end $$;

-- The ledger is append-only, and not by convention.
create function holdfast.refuse_change() returns trigger
  language plpgsql as $$
begin
  raise exception 'holdfast.% is append-only', tg_table_name using errcode = 'HF001';
end $$;

create trigger entries_append_only
  before update or delete on holdfast.entries
  for each row execute function holdfast.refuse_change();

create trigger entries_never_truncated
  before truncate on holdfast.entries
  for each statement execute function holdfast.refuse_change();
`,
  },
  {
    version: 2,
    name: "blobs",
    checksum: "c45fcace0a2d2389d212f56e2d9798d5135f14c6198b745e8bd646a8960f0130",
    sql: `-- The parts of model requests, each kept once a run under the hash of its content.
--
-- A conversation grows by what is new in it: the next request names the list
-- that the one before it ended with, and the messages that came since. A blob
-- goes in with the entry that names it, in one statement (src/store/ledger.ts).

create table holdfast.blobs (
  run   bigint not null,
  hash  text   not null,  -- SHA-256, base64url: what is hashed stands in src/request.ts
  value text   not null,
  primary key (run, hash)
);

do $$
begin
  if exists (select from pg_settings where name = 'default_toast_compression' and 'lz4' = any (enumvals)) then
    alter table holdfast.blobs alter column value set compression lz4;
  end if;
end $$;

create trigger blobs_append_only
  before update or delete on holdfast.blobs
  for each row execute function holdfast.refuse_change();

create trigger blobs_never_truncated
  before truncate on holdfast.blobs
  for each statement execute function holdfast.refuse_change();
`,
  },
  {
    version: 3,
    name: "retention",
    checksum: "ce4d21f0a596f61206bc381c8fcdba5f1973568542353655ad99aa4a1f1fde5d",
    sql: `-- Forgetting runs that have ended.
--
-- The ledger stays append-only for everything else: rows go only in a
-- transaction that says it prunes, and only those of a run that has ended
-- (src/store/retention.ts). A run whose id or key somebody may come back with
-- leaves its head behind, so that its effects are not repeated for want of memory.

alter table holdfast.runs add column pruned_at timestamptz;

create or replace function holdfast.refuse_change() returns trigger
  language plpgsql as $$
begin
  if tg_op = 'DELETE' and current_setting('holdfast.pruning', true) = 'on' then
    return old;
  end if;
  raise exception 'holdfast.% is append-only', tg_table_name using errcode = 'HF001';
end $$;

create index runs_finished on holdfast.runs (finished_at) where finished_at is not null and pruned_at is null;
`,
  },
];
