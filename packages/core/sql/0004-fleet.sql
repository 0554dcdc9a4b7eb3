-- The queue: runs that any worker may pick up.
--
-- `runs` is the queue. A queued run may be claimed (src/store/queue.ts); a
-- waiting one is woken by what it waits for, or by `run_at`, whichever comes
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

-- A run that needs the end of another. `ended` is set in the transaction that ends it; `told` once the run that waits
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

-- Whoever ends a run, and however: those that wait for it are to be told. Locks `runs` first, as everywhere.
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
