-- What people are asked, as far as it must be found by index, or counted.
--
-- What was asked and what was answered stands in `entries`. A row here says
-- which questions are open, and guards that each is settled once: whoever
-- answers moves the row, the run's head and the ledger in one statement
-- (src/store/questions.ts). Lock order: `runs`, then `questions`.

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
