-- Budgets that several runs share: one row for each scope and window of time.
--
-- A row is what the ledgers of its runs say, summed up, so that a call can be
-- refused without reading them: an intent names the rows it holds money in, and
-- each entry that ends a hold moves it. Both happen in the statement that
-- appends the entry (src/store/ledger.ts). Lock order: `runs` by `run`, then
-- `budgets` by `budget`.

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
