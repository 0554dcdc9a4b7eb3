-- Postgres takes no field out of a json that has a NUL or half a surrogate pair
-- anywhere in it. Bodies are written without them; some that were written before
-- have them, as an escape: it is read as U+FFFD. What is escaped itself (`\\u0000`)
-- is text, and stays.

create function holdfast.body_of(body text) returns json
  language sql immutable as $$
  select case when strpos(body, '\u') = 0 then body
              else regexp_replace(body, '(?<!\\)((?:\\\\)*)\\u(?:0000|[dD][89a-fA-F][0-9a-fA-F]{2})', '\1\\ufffd', 'g')
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
