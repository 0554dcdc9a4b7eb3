-- A limit over a window holds in every stretch of that length, whenever it
-- begins. A window has 60 slots: a second each of a minute, a minute each of an
-- hour, 24 minutes each of a day. A count keeps so many calls of each slot that
-- the window may reach into: 61, the newest last. So a call counts for as long
-- as the window, and up to a slot longer.

create table holdfast.sliding_counts (
  rule  text        not null,
  under text        not null,  -- the tag; empty: none
  per   text        not null check (per in ('minute', 'hour', 'day')),
  slot  bigint      not null,  -- the newest, counted from the beginning of 1970
  used  int[]       not null default array_fill(0, array[61]) check (cardinality(used) = 61),
  at    timestamptz not null default now(),  -- of the last call
  primary key (rule, under, per)
);

create index sliding_counts_at on holdfast.sliding_counts (at);

-- Which slot that time is in.
create function holdfast.slot(per text, at timestamptz) returns bigint
  language sql immutable as $$
  select floor(extract(epoch from at) / case per when 'minute' then 1 when 'hour' then 60 when 'day' then 1440 end)::bigint
$$;

-- What is left of counts so many slots later.
create function holdfast.slid(used int[], slots bigint) returns int[]
  language sql immutable as $$
  select case when slots <= 0                 then used
              when slots >= cardinality(used) then array_fill(0, array[cardinality(used)])
              else used[slots + 1 :] || array_fill(0, array[slots::int]) end
$$;

-- All of what is left.
create function holdfast.counted(used int[], slots bigint) returns bigint
  language sql immutable as $$
  select sum(n) from unnest(holdfast.slid(used, slots)) as n
$$;

-- What has been counted so far counts on, as if all of it were new. Which window
-- a rule has, these rows do not say: each gets what it may be.
insert into holdfast.sliding_counts (rule, under, per, slot, used)
select rule, under, per, holdfast.slot(per, now()), array_fill(0, array[60]) || sum(used)::int
  from holdfast.counts
  join (values ('minute', interval '1 minute'), ('hour', '1 hour'), ('day', '1 day')) as windows (per, length)
       on since > now() - length * 2
 group by rule, under, per;

drop table holdfast.counts;
alter table holdfast.sliding_counts rename to counts;
alter index holdfast.sliding_counts_pkey rename to counts_pkey;
alter index holdfast.sliding_counts_at rename to counts_at;
