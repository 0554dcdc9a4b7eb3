-- Which runs the calls on a thread were, for withDurability: each call looks for
-- the last one. A run is noted before it is begun, so that of several processes
-- with a new input each takes the same number, and one gets the run.

create table holdfast.thread_runs (
  thread_id text not null,   -- as callers name it
  n         int  not null,   -- 1, 2, 3, … a thread
  run_id    text not null,
  primary key (thread_id, n)
);
