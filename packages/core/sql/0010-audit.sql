-- What people did that stands in no run's ledger: it is about no run, or about
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
