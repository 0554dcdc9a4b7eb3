-- Runs that were not made by an agent at work: read in from a file, or made over
-- the record of another. Nobody may go on with one: the effects of the first
-- belong to where it came from, and the tools of the second were mocked.

alter table holdfast.runs
  add column imported  boolean not null default false,
  add column replay_of bigint;  -- the run whose record answered in this one
