-- What a head may look like, checked where it changes.
--
-- Postgres parses every check constraint of a table anew for each statement that
-- writes a row of it, whatever columns it sets: for the eight that `runs` had that
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
