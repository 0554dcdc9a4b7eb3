// Generated from packages/server/sql by scripts/inline-sql.ts. Do not edit; run: pnpm sql

export const migrations: readonly {
  readonly version: number;
  readonly name: string;
  readonly checksum: string;
  readonly sql: string;
}[] = [
  {
    version: 1,
    name: "server",
    checksum: "dd43e69f229478dab5960d55d4b70e631e2f5b1b41ef17b8f37cfbf1688eb8c2",
    sql: `-- Who may ask the control API, and finding what was written lately.

-- A key's text is shown once, when it is made. What is kept cannot be turned back into it.
create table holdfast.api_keys (
  name       text        primary key,  -- stands as \`by\` in what is written with it; never given to another key
  hash       text        not null unique,  -- SHA-256 of its text, base64url
  scopes     text[]      not null,
  created_at timestamptz not null default now(),
  revoked_at timestamptz,
  check (scopes <@ array['read', 'operate', 'approve'] and scopes <> '{}')
);

-- A browser that has signed in with a key. Its cookie holds a random text; here is the hash.
create table holdfast.api_sessions (
  hash  text        primary key,
  key   text        not null,
  until timestamptz not null
);

create index api_sessions_by_time on holdfast.api_sessions (until);

-- Entries are inserted in the order of time, so a few numbers per range of pages are enough to find the latest.
create index entries_by_time on holdfast.entries using brin (at) with (pages_per_range = 16, autosummarize = on);

-- The 32 bits of a row's xmin, made whole by a snapshot that was taken later: the transaction that inserted it.
create function holdfast.whole_xid(short xid, later pg_snapshot) returns xid8
  language sql immutable as $$
    select (case when (pg_snapshot_xmax(later)::text::bigint & -4294967296) + short::text::bigint
                      > pg_snapshot_xmax(later)::text::bigint
                 then (pg_snapshot_xmax(later)::text::bigint & -4294967296) + short::text::bigint - 4294967296
                 else (pg_snapshot_xmax(later)::text::bigint & -4294967296) + short::text::bigint
            end)::text::xid8
$$;
`,
  },
  {
    version: 2,
    name: "followers",
    checksum: "ed17ebd3bec09c4bece165458cdcf7f6aec578eadde800744e3f53e4a73d1b53",
    sql: `-- Whoever is told what is committed, somewhere else: a webhook, a collector of traces.
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
`,
  },
];
