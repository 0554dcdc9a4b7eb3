-- The parts of model requests, each kept once a run under the hash of its content.
--
-- A conversation grows by what is new in it: the next request names the list
-- that the one before it ended with, and the messages that came since. A blob
-- goes in with the entry that names it, in one statement (src/store/ledger.ts).

create table holdfast.blobs (
  run   bigint not null,
  hash  text   not null,  -- SHA-256, base64url: what is hashed stands in src/request.ts
  value text   not null,
  primary key (run, hash)
);

do $$
begin
  if exists (select from pg_settings where name = 'default_toast_compression' and 'lz4' = any (enumvals)) then
    alter table holdfast.blobs alter column value set compression lz4;
  end if;
end $$;

create trigger blobs_append_only
  before update or delete on holdfast.blobs
  for each row execute function holdfast.refuse_change();

create trigger blobs_never_truncated
  before truncate on holdfast.blobs
  for each statement execute function holdfast.refuse_change();
