-- Forgetting runs that have ended.
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
