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
  {
    version: 4,
    name: "fleet",
    checksum: "9dc12d415968f07628eb3a4e6377ec5e154ea347ca7f0f29efe9a9e202954b34",
    sql: `-- The queue: runs that any worker may pick up.
--
-- \`runs\` is the queue. A queued run may be claimed (src/store/queue.ts); a
-- waiting one is woken by what it waits for, or by \`run_at\`, whichever comes
-- first. Nothing here changes while a run is worked on, except by a command.

alter table holdfast.runs
  add column pinned_to     text not null default '',       -- the version that alone may go on; '': the newest there is
  add column queued_after  text not null default 'start',  -- what the next takeover comes after
  add column command       text,                           -- what its owner is to do, or has done and not undone
  add column most_crashes  int  not null default 5,        -- in a row, without an observation; then it is dead
  alter column run_at drop default,
  add check (queued_after in ('start', 'wait', 'retry', 'handover')),
  add check (command in ('pause', 'cancel')),
  add check (most_crashes > 0);

-- When a waiting run is woken, whatever it waits for. Infinity: not by time.
update holdfast.runs set run_at = 'infinity';
alter table holdfast.runs alter column run_at set default 'infinity';

-- The most urgent first, then the oldest. Finished runs are in none of these.
create index runs_queued    on holdfast.runs (agent, pinned_to, priority desc, run) where status = 'queued' and command is null;
create index runs_timed     on holdfast.runs (run_at)    where status = 'waiting';
create index runs_running   on holdfast.runs (agent)     where status = 'running' and not inline;
create index runs_commanded on holdfast.runs (leased_by) where command is not null and leased_by is not null;

-- How many more runs of an agent (null: of all) may be under way. Whoever asks holds the answer until its transaction
-- ends: a function that is volatile counts by a snapshot taken after the lock, so two that ask at once do not get the
-- same places. 1214669922 is 'Hfa"' as a number. Who asks for several asks in one order.
create function holdfast.room(of_agent text, cap int) returns int
  language plpgsql volatile as $$
begin
  perform pg_advisory_xact_lock(1214669922, hashtext(coalesce(of_agent, '')));
  if of_agent is null then
    return greatest(0, cap - (select count(*) from holdfast.runs where status = 'running' and not inline));
  end if;
  return greatest(0, cap - (select count(*) from holdfast.runs
                             where status = 'running' and not inline and agent = of_agent));
end $$;

-- May one more run be queued? Asked only where there is a limit, and one after another.
create function holdfast.queue_has_room(most int) returns boolean
  language plpgsql volatile as $$
begin
  perform pg_advisory_xact_lock(1214669923, 0);
  return (select count(*) from (select from holdfast.runs where status = 'queued' and command is null limit most) queued) < most;
end $$;

-- What a worker has: [{"name": …, "version": …}]. A worker leaves alone runs of an agent of which a living worker has a
-- newer version.
alter table holdfast.workers add column agents jsonb not null default '[]';

-- A run that needs the end of another. \`ended\` is set in the transaction that ends it; \`told\` once the run that waits
-- has it in its ledger.
create table holdfast.dependencies (
  run        bigint  not null,  -- the one that waits
  on_run     bigint  not null,
  name       text    not null,  -- under which it finds the value
  on_failure text    not null,
  ended      boolean not null default false,
  told       boolean not null default false,
  primary key (run, on_run),
  check (on_failure in ('skip', 'fail', 'tell'))
);

create index dependencies_open  on holdfast.dependencies (on_run) where not ended;
create index dependencies_ended on holdfast.dependencies (run)    where ended and not told;

-- Runs of the fleet that ended badly, until somebody redrives them.
create table holdfast.dead_letters (
  run    bigint      primary key,
  at     timestamptz not null default now(),
  reason text        not null,
  check (reason in ('crashes', 'error'))
);

create index dead_letters_by_time on holdfast.dead_letters (at desc, run desc);

-- Whoever ends a run, and however: those that wait for it are to be told. Locks \`runs\` first, as everywhere.
create function holdfast.run_ended() returns trigger
  language plpgsql as $$
begin
  update holdfast.dependencies set ended = true where on_run = new.run and not ended;
  if not new.inline and (new.status = 'dead' or new.status = 'failed' and new.epoch > 0) then
    insert into holdfast.dead_letters (run, reason)
    values (new.run, case new.status when 'dead' then 'crashes' else 'error' end)
        on conflict (run) do update set at = excluded.at, reason = excluded.reason;
  end if;
  return null;
end $$;

create trigger runs_end
  after update of finished_at on holdfast.runs
  for each row when (old.finished_at is null and new.finished_at is not null)
  execute function holdfast.run_ended();

create table holdfast.schedules (
  name       text        primary key,
  cron       text        not null,
  timezone   text        not null,
  agent      text        not null,
  version    text,
  missed     text        not null,
  input      text,
  next_at    timestamptz,          -- null: there is no next time
  created_at timestamptz not null default now(),
  check (missed in ('skip', 'one', 'all'))
);

create index schedules_by_time on holdfast.schedules (next_at) where next_at is not null;
`,
  },
  {
    version: 5,
    name: "questions",
    checksum: "ea235f996f64c25f4192257b2d3654358221f95068643415030c01fd516816b2",
    sql: `-- What people are asked, as far as it must be found by index, or counted.
--
-- What was asked and what was answered stands in \`entries\`. A row here says
-- which questions are open, and guards that each is settled once: whoever
-- answers moves the row, the run's head and the ledger in one statement
-- (src/store/questions.ts). Lock order: \`runs\`, then \`questions\`.

create table holdfast.questions (
  question   text   primary key,
  run        bigint not null,
  seq        int    not null,               -- of the entry that asks
  step       text   not null,
  need       int    not null,               -- so many have to approve
  people     text[],                        -- who may answer; null: anybody
  approved   text[] not null default '{}',  -- who has approved so far
  expires_at timestamptz,
  closed_at  timestamptz
);

create index questions_by_run   on holdfast.questions (run, step);
create index questions_open     on holdfast.questions (run) where closed_at is null;
create index questions_expiring on holdfast.questions (expires_at) where closed_at is null and expires_at is not null;

-- How many calls have gone out under a rule with a limit, of all runs of one
-- tag, in one window. What is per run is folded from the run's entries.
create table holdfast.counts (
  rule  text        not null,
  under text        not null,  -- the tag; empty: none
  since timestamptz not null,  -- when the window began
  used  int         not null default 0,
  primary key (rule, under, since)
);

create index counts_since on holdfast.counts (since);
`,
  },
  {
    version: 6,
    name: "replay",
    checksum: "3db399df3bb3c95b5f60a5f14d1dd2ac4ca4f611dc797727d034559d5fb8199a",
    sql: `-- Runs that were not made by an agent at work: read in from a file, or made over
-- the record of another. Nobody may go on with one: the effects of the first
-- belong to where it came from, and the tools of the second were mocked.

alter table holdfast.runs
  add column imported  boolean not null default false,
  add column replay_of bigint;  -- the run whose record answered in this one
`,
  },
  {
    version: 7,
    name: "budgets",
    checksum: "c4a2dfa9e849113880c3cf3f6fb4d6038d549f877cf23fdc5c8ad4a1d9d263b7",
    sql: `-- Budgets that several runs share: one row for each scope and window of time.
--
-- A row is what the ledgers of its runs say, summed up, so that a call can be
-- refused without reading them: an intent names the rows it holds money in, and
-- each entry that ends a hold moves it. Both happen in the statement that
-- appends the entry (src/store/ledger.ts). Lock order: \`runs\` by \`run\`, then
-- \`budgets\` by \`budget\`.

create table holdfast.budgets (
  budget       text        primary key,  -- scope/per/window: tag:tenant:acme/day/2026-11-21
  scope        text        not null,
  per          text        not null,
  starts       timestamptz not null,
  until        timestamptz not null,     -- no hold is taken from then on
  cap_micros   bigint,                   -- null: not limited
  cap_tokens   bigint,
  cap_calls    bigint,
  spent_micros bigint      not null default 0,
  spent_tokens bigint      not null default 0,
  spent_calls  bigint      not null default 0,
  held_micros  bigint      not null default 0,
  held_tokens  bigint      not null default 0,
  held_calls   bigint      not null default 0,
  check (per in ('hour', 'day', 'month'))
) with (fillfactor = 50);

-- Open holds of a run in shared budgets. Nothing but appends that touch such a budget reads or writes it.
alter table holdfast.runs add column holds int not null default 0;

-- Whoever ends a run, and however: what its calls may have cost counts as spent. An owner says so itself, in the append
-- that ends the run; for a run that was cancelled or buried from outside it is read from its entries: the intents that
-- hold money, which nothing has settled since.
create function holdfast.settle_ended() returns trigger
  language plpgsql as $$
begin
  with open as (
    select i.body::json as body, case when i.body::json ->> 'hold' is null then 0 else 1 end as calls
      from holdfast.entries i
     where i.run  = new.run
       and i.kind = 'intent'
       and i.body::json -> 'budgets' is not null
       and not exists (
             select from holdfast.entries e
              where e.run = i.run
                and e.seq > i.seq
                and (   e.step = i.step and (   e.kind in ('intent', 'observation', 'resolution')
                                             or e.kind = 'note' and e.body::json ->> 'note' = 'settled')
                     or e.kind = 'outcome' and e.seq < new.seq))
  ), held as (
    select budget,
           sum((body ->> 'hold')::bigint)                  as micros,
           sum(coalesce((body ->> 'tokens')::bigint, 0))   as tokens,
           sum(calls)                                      as calls
      from open, json_array_elements_text(body -> 'budgets') as named (budget)
     group by budget
  ), locked as (
    select budget from holdfast.budgets where budget in (select budget from held) order by budget for no key update
  )
  update holdfast.budgets b
     set held_micros  = b.held_micros  - held.micros,
         held_tokens  = b.held_tokens  - held.tokens,
         held_calls   = b.held_calls   - held.calls,
         spent_micros = b.spent_micros + held.micros,
         spent_tokens = b.spent_tokens + held.tokens,
         spent_calls  = b.spent_calls  + held.calls
    from held
   where b.budget = held.budget
     and b.budget in (select budget from locked);
  update holdfast.runs set holds = 0 where run = new.run;
  return null;
end $$;

create trigger runs_end_settled
  after update of finished_at on holdfast.runs
  for each row when (old.finished_at is null and new.finished_at is not null and new.holds > 0)
  execute function holdfast.settle_ended();
`,
  },
  {
    version: 8,
    name: "forks-hold-nothing",
    checksum: "cacba8e2c1803405ea1cd9a7625ea3a9fae06c0607006a0b67c3cb8247dc5467",
    sql: `-- What a fork was copied with, it does not hold: the run that it was copied from
-- does. So a fork that is ended from outside settles only what stands behind it.

create or replace function holdfast.settle_ended() returns trigger
  language plpgsql as $$
begin
  with open as (
    select i.body::json as body, case when i.body::json ->> 'hold' is null then 0 else 1 end as calls
      from holdfast.entries i
     where i.run  = new.run
       and i.kind = 'intent'
       and i.seq  > coalesce(new.fork_seq, 0)
       and i.body::json -> 'budgets' is not null
       and not exists (
             select from holdfast.entries e
              where e.run = i.run
                and e.seq > i.seq
                and (   e.step = i.step and (   e.kind in ('intent', 'observation', 'resolution')
                                             or e.kind = 'note' and e.body::json ->> 'note' = 'settled')
                     or e.kind = 'outcome' and e.seq < new.seq))
  ), held as (
    select budget,
           sum((body ->> 'hold')::bigint)                  as micros,
           sum(coalesce((body ->> 'tokens')::bigint, 0))   as tokens,
           sum(calls)                                      as calls
      from open, json_array_elements_text(body -> 'budgets') as named (budget)
     group by budget
  ), locked as (
    select budget from holdfast.budgets where budget in (select budget from held) order by budget for no key update
  )
  update holdfast.budgets b
     set held_micros  = b.held_micros  - held.micros,
         held_tokens  = b.held_tokens  - held.tokens,
         held_calls   = b.held_calls   - held.calls,
         spent_micros = b.spent_micros + held.micros,
         spent_tokens = b.spent_tokens + held.tokens,
         spent_calls  = b.spent_calls  + held.calls
    from held
   where b.budget = held.budget
     and b.budget in (select budget from locked);
  update holdfast.runs set holds = 0 where run = new.run;
  return null;
end $$;
`,
  },
  {
    version: 9,
    name: "flows",
    checksum: "fc6048efeddbba46328996c866cb9f6b4ec29424f3ba9831cfe0c3b53789df8e",
    sql: `-- Flows: runs that were started together, under a name. What comes after what
-- stands in \`dependencies\`; here is which runs belong together.

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
`,
  },
  {
    version: 10,
    name: "audit",
    checksum: "0dddc9aa28733ff27e6130640c162e0adb6eb81ab6d2c39cd9ce0d179d71d00c",
    sql: `-- What people did that stands in no run's ledger: it is about no run, or about
-- one whose ledger is gone by it. Written with what it tells of, or not at all.

create table holdfast.audit (
  deed  bigint      generated always as identity primary key,
  at    timestamptz not null default now(),
  by    text        not null,
  did   text        not null,
  about text        not null,  -- JSON
  check (did in ('prune', 'delete', 'schedule', 'unschedule'))
);

create function holdfast.refuse_change_of_audit() returns trigger
  language plpgsql as $$
begin
  raise exception 'holdfast.audit is append-only' using errcode = 'HF001';
end $$;

create trigger audit_is_append_only
  before update or delete on holdfast.audit
  for each row execute function holdfast.refuse_change_of_audit();

create trigger audit_is_not_truncated
  before truncate on holdfast.audit
  for each statement execute function holdfast.refuse_change_of_audit();
`,
  },
  {
    version: 11,
    name: "sliding-counts",
    checksum: "18392429ab52620fdab4d3da44443c694b8e3a3ce3bc8d022a8198c3f3551060",
    sql: `-- A limit over a window holds in every stretch of that length, whenever it
-- begins. A window has 60 slots: a second each of a minute, a minute each of an
-- hour, 24 minutes each of a day. A count keeps so many calls of each slot that
-- the window may reach into: 61, the newest last. So a call counts for as long
-- as the window, and up to a slot longer.

create table holdfast.sliding_counts (
  rule  text        not null,
  under text        not null,  -- the tag; empty: none
  per   text        not null check (per in ('minute', 'hour', 'day')),
  slot  bigint      not null,  -- the newest, counted from the beginning of 1970
  used  int[]       not null default array_fill(0, array[61]) check (cardinality(used) = 61),
  at    timestamptz not null default now(),  -- of the last call
  primary key (rule, under, per)
);

create index sliding_counts_at on holdfast.sliding_counts (at);

-- Which slot that time is in.
create function holdfast.slot(per text, at timestamptz) returns bigint
  language sql immutable as $$
  select floor(extract(epoch from at) / case per when 'minute' then 1 when 'hour' then 60 when 'day' then 1440 end)::bigint
$$;

-- What is left of counts so many slots later.
create function holdfast.slid(used int[], slots bigint) returns int[]
  language sql immutable as $$
  select case when slots <= 0                 then used
              when slots >= cardinality(used) then array_fill(0, array[cardinality(used)])
              else used[slots + 1 :] || array_fill(0, array[slots::int]) end
$$;

-- All of what is left.
create function holdfast.counted(used int[], slots bigint) returns bigint
  language sql immutable as $$
  select sum(n) from unnest(holdfast.slid(used, slots)) as n
$$;

-- What has been counted so far counts on, as if all of it were new. Which window
-- a rule has, these rows do not say: each gets what it may be.
insert into holdfast.sliding_counts (rule, under, per, slot, used)
select rule, under, per, holdfast.slot(per, now()), array_fill(0, array[60]) || sum(used)::int
  from holdfast.counts
  join (values ('minute', interval '1 minute'), ('hour', '1 hour'), ('day', '1 day')) as windows (per, length)
       on since > now() - length * 2
 group by rule, under, per;

drop table holdfast.counts;
alter table holdfast.sliding_counts rename to counts;
alter index holdfast.sliding_counts_pkey rename to counts_pkey;
alter index holdfast.sliding_counts_at rename to counts_at;
`,
  },
  {
    version: 12,
    name: "due",
    checksum: "efb1fb95b6f6eb44bf7e23338df39b759c3687462263cdeb039d4e29728c2e99",
    sql: `-- When the time of a queued run had come, where it was woken by that: no entry
-- says it before the takeover does.

alter table holdfast.runs add column due_at timestamptz;
`,
  },
  {
    version: 13,
    name: "checks-by-trigger",
    checksum: "1047693f5234899caba091f6478a0d4388f4721c36b61039eb4d5f4062a4e665",
    sql: `-- What a head may look like, checked where it changes.
--
-- Postgres parses every check constraint of a table anew for each statement that
-- writes a row of it, whatever columns it sets: for the eight that \`runs\` had that
-- was a third of the server's work for an append. A trigger is looked at only by
-- statements that set its columns, and an append to a run that is being worked on
-- sets none of them.

create function holdfast.refuse_head() returns trigger
  language plpgsql as $$
begin
  raise exception 'holdfast.runs: no run may look like this: %', to_jsonb(new) using errcode = 'check_violation';
end $$;

create trigger runs_checked
  after insert or update of run_id, status, waiting_on, leased_by, queued_after, command, most_crashes on holdfast.runs
  for each row when (not (
        new.run_id <> ''
    and new.status in ('queued', 'running', 'waiting', 'succeeded', 'failed', 'cancelled', 'dead')
    and new.waiting_on in ('approval', 'input', 'doubt', 'budget', 'timer', 'dependency', 'caller')
    and (new.status = 'waiting') = (new.waiting_on is not null)
    and (new.status = 'running') = (new.leased_by is not null)
    and new.queued_after in ('start', 'wait', 'retry', 'handover')
    and new.command in ('pause', 'cancel')
    and new.most_crashes > 0))
  execute function holdfast.refuse_head();

alter table holdfast.runs
  drop constraint runs_run_id_check,
  drop constraint runs_status_check,
  drop constraint runs_waiting_on_check,
  drop constraint runs_check,
  drop constraint runs_check1,
  drop constraint runs_queued_after_check,
  drop constraint runs_command_check,
  drop constraint runs_most_crashes_check;
`,
  },
  {
    version: 14,
    name: "odd-characters",
    checksum: "5d8aa1d5385826227a76ed13393a439eb98ca4cc438507bf93387e6e9dcd2390",
    sql: `-- Postgres takes no field out of a json that has a NUL or half a surrogate pair
-- anywhere in it. Bodies are written without them; some that were written before
-- have them, as an escape: it is read as U+FFFD. What is escaped itself (\`\\\\u0000\`)
-- is text, and stays.

create function holdfast.body_of(body text) returns json
  language sql immutable as $$
  select case when strpos(body, '\\u') = 0 then body
              else regexp_replace(body, '(?<!\\\\)((?:\\\\\\\\)*)\\\\u(?:0000|[dD][89a-fA-F][0-9a-fA-F]{2})', '\\1\\\\ufffd', 'g')
         end::json
$$;

create or replace function holdfast.settle_ended() returns trigger
  language plpgsql as $$
begin
  with open as (
    select holdfast.body_of(i.body) as body, case when holdfast.body_of(i.body) ->> 'hold' is null then 0 else 1 end as calls
      from holdfast.entries i
     where i.run  = new.run
       and i.kind = 'intent'
       and i.seq  > coalesce(new.fork_seq, 0)
       and holdfast.body_of(i.body) -> 'budgets' is not null
       and not exists (
             select from holdfast.entries e
              where e.run = i.run
                and e.seq > i.seq
                and (   e.step = i.step and (   e.kind in ('intent', 'observation', 'resolution')
                                             or e.kind = 'note' and holdfast.body_of(e.body) ->> 'note' = 'settled')
                     or e.kind = 'outcome' and e.seq < new.seq))
  ), held as (
    select budget,
           sum((body ->> 'hold')::bigint)                  as micros,
           sum(coalesce((body ->> 'tokens')::bigint, 0))   as tokens,
           sum(calls)                                      as calls
      from open, json_array_elements_text(body -> 'budgets') as named (budget)
     group by budget
  ), locked as (
    select budget from holdfast.budgets where budget in (select budget from held) order by budget for no key update
  )
  update holdfast.budgets b
     set held_micros  = b.held_micros  - held.micros,
         held_tokens  = b.held_tokens  - held.tokens,
         held_calls   = b.held_calls   - held.calls,
         spent_micros = b.spent_micros + held.micros,
         spent_tokens = b.spent_tokens + held.tokens,
         spent_calls  = b.spent_calls  + held.calls
    from held
   where b.budget = held.budget
     and b.budget in (select budget from locked);
  update holdfast.runs set holds = 0 where run = new.run;
  return null;
end $$;
`,
  },
];
