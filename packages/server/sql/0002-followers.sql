-- Whoever is told what is committed, somewhere else: a webhook, a collector of traces.
--
-- Each has its place in the feed here, and what it could not be told yet stays
-- ahead of that place. One server at a time tells it: the one that has the row.

create table holdfast.followers (
  name     text        primary key,
  place    text        not null,                -- a cursor, as an event of /v1/tail has it
  failures int         not null default 0,      -- since it was last reached
  next_at  timestamptz not null default now(),  -- not before this
  error    text
);
