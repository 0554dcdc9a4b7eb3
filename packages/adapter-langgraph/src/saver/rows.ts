import type { OwnedRun, TablesDatabase } from "@holdfast/core";
import type { Checkpoint } from "@langchain/langgraph-checkpoint";
import type { Part, Ref } from "./parts.ts";

type Queryable = Pick<TablesDatabase, "query">;

/** A thread as it was last seen. Its number is another one once it was deleted, its sweeps once parts of it were. */
export interface Thread {
  readonly thread: string;
  readonly sweeps: number;
}

/** Which checkpoint of a thread. */
export interface Place {
  readonly threadId: string;
  readonly ns: string;
  readonly id: string;
}

/** What `body` says of a checkpoint: all of LangGraph's but its id and its values, and the values by name. */
export interface Body {
  readonly checkpoint: Omit<Checkpoint, "id" | "channel_values">;
  readonly values: Readonly<Record<string, Ref>>;
}

export interface Write {
  readonly idx: number;
  readonly channel: string;
  readonly value: Ref;
}

export interface CheckpointRow extends Thread {
  readonly thread_id: string;
  readonly ns: string;
  readonly id: string;
  readonly parent: string | null;
  readonly body: string;
  readonly metadata: string;
  /** Task, channel and value of each write, in the order in which LangGraph applies them. */
  readonly writes: readonly [task: string, channel: string, value: Ref][];
}

/** What became of a write: it is in; or the thread is not what it was, and must be looked at again. */
export type Written = "written" | "other thread";

// The run's head is locked as the fence asks (docs/concepts/lease-and-fence.md): a takeover waits for the write, or the
// write finds another epoch and does nothing. A run that waits still has the epoch of its last owner. Outside a run, $1
// is null. The thread is locked so that no part that this write relies on is deleted beside it. Parts go in by the order
// of their hashes, so that two writers of one thread wait for each other in one direction only.
const FENCED = /* sql */ `
with head as (
  select run
    from holdfast.runs
   where run_id = $1
     and epoch  = $2
     and status in ('running', 'waiting', 'queued')
     for no key update
), at as (
  select thread
    from holdfast.threads
   where thread = $3
     and sweeps = $4
     and ($1::text is null or exists (select from head))
     for key share
), kept as (
  insert into holdfast.checkpoint_parts (thread, hash, height, type, bytes)
  select at.thread, part.hash, part.height, part.type, part.bytes
    from at
   cross join unnest($5::text[], $6::smallint[], $7::text[], $8::bytea[]) as part (hash, height, type, bytes)
   order by part.hash
      on conflict do nothing
)`;

const ANSWER = /* sql */ `
select $1::text is null or exists (select from head) as owned,
       exists (select from at)                       as written`;

const PUT = /* sql */ `${FENCED}, put as (
  insert into holdfast.checkpoints (thread, ns, id, parent, body, metadata)
  select thread, $9, $10, $11, $12, $13
    from at
      on conflict (thread, ns, id) do update
     set parent = excluded.parent, body = excluded.body, metadata = excluded.metadata
)${ANSWER}`;

/** Writes a checkpoint and the parts that it names, in one statement. Undefined: not as the owner of the run. */
export async function putCheckpoint(
  db: Queryable,
  run: OwnedRun | undefined,
  thread: Thread,
  { ns, id }: Place,
  { parent, body, metadata }: { parent: string | undefined; body: Body; metadata: string },
  parts: ReadonlyMap<string, Part>,
): Promise<Written | undefined> {
  return await writeFenced(db, PUT, run, thread, parts, [
    ns,
    id,
    parent ?? null,
    JSON.stringify(body),
    metadata,
  ]);
}

// The first of two writers of a task counts, except for LangGraph's own channels: of these the last does.
const PUT_WRITES = /* sql */ `${FENCED}, put as (
  insert into holdfast.checkpoint_writes as there (thread, ns, id, task, path, idx, channel, value)
  select at.thread, $9, $10, $11, $12, write.idx, write.channel, write.value
    from at
   cross join unnest($13::int[], $14::text[], $15::text[]) as write (idx, channel, value)
   order by write.idx
      on conflict (thread, ns, id, task, idx) do update
     set channel = excluded.channel, value = excluded.value
   where there.idx < 0
)${ANSWER}`;

/** Writes what a task has to say at a checkpoint. Each `idx` comes once. Undefined: not as the owner of the run. */
export async function putWrites(
  db: Queryable,
  run: OwnedRun | undefined,
  thread: Thread,
  { ns, id }: Place,
  { task, path }: { task: string; path: string },
  writes: readonly Write[],
  parts: ReadonlyMap<string, Part>,
): Promise<Written | undefined> {
  return await writeFenced(db, PUT_WRITES, run, thread, parts, [
    ns,
    id,
    task,
    path,
    writes.map(({ idx }) => idx),
    writes.map(({ channel }) => channel),
    writes.map(({ value }) => JSON.stringify(value)),
  ]);
}

async function writeFenced(
  db: Queryable,
  sql: string,
  run: OwnedRun | undefined,
  { thread, sweeps }: Thread,
  parts: ReadonlyMap<string, Part>,
  values: readonly unknown[],
): Promise<Written | undefined> {
  const kept = [...parts];
  const { rows } = await db.query<{ owned: boolean; written: boolean }>(sql, [
    run?.runId ?? null,
    run?.epoch ?? null,
    thread,
    sweeps,
    kept.map(([hash]) => hash),
    kept.map(([, { height }]) => height),
    kept.map(([, { type }]) => type),
    kept.map(([, { bytes }]) => bytes),
    ...values,
  ]);
  if (!rows[0]?.owned) return undefined;
  return rows[0].written ? "written" : "other thread";
}

const OPEN = /* sql */ `
with made as (
  insert into holdfast.threads (thread_id)
  values ($1)
      on conflict do nothing
  returning thread, sweeps
)
select thread, sweeps from made
 union all
select thread, sweeps from holdfast.threads where thread_id = $1`;

/** The thread, made where there is none. */
export async function openThread(db: Queryable, threadId: string): Promise<Thread> {
  for (;;) {
    const { rows } = await db.query<Thread>(OPEN, [threadId]);
    if (rows[0]) return rows[0];
    // Somebody made it since this statement began: the next one sees it.
  }
}

const CHECKPOINT = /* sql */ `
select t.thread, t.sweeps, t.thread_id, c.ns, c.id, c.parent, c.body, c.metadata,
       (select coalesce(json_agg(json_build_array(w.task, w.channel, w.value::json) order by w.path, w.task, w.idx), '[]')
          from holdfast.checkpoint_writes w
         where w.thread = c.thread
           and w.ns     = c.ns
           and w.id     = c.id) as writes
  from holdfast.threads t
  join holdfast.checkpoints c using (thread)`;

const GET = /* sql */ `${CHECKPOINT}
 where t.thread_id = $1
   and c.ns        = $2
   and c.id        = $3`;

const LATEST = /* sql */ `${CHECKPOINT}
 where t.thread_id = $1
   and c.ns        = $2
 order by c.id desc
 limit 1`;

/** A checkpoint, or, without an id, the last one of its namespace. */
export async function getCheckpoint(
  db: Queryable,
  { threadId, ns, id }: Omit<Place, "id"> & { readonly id: string | undefined },
): Promise<CheckpointRow | undefined> {
  const { rows } = await (id === undefined
    ? db.query<CheckpointRow>(LATEST, [threadId, ns])
    : db.query<CheckpointRow>(GET, [threadId, ns, id]));
  return rows[0];
}

const LIST = /* sql */ `${CHECKPOINT}
 where ($1::text is null or t.thread_id = $1)
   and ($2::text is null or c.ns = $2)
   and ($3::text is null or c.id = $3)
   and ($4::text is null or c.id < $4)
   and ($5::text is null or (c.id, c.thread, c.ns) < ($5, $6::bigint, $7))
 order by c.id desc, c.thread desc, c.ns desc
 limit $8`;

/** Checkpoints that are read in one statement. */
const PAGE = 50;

export interface Wanted {
  readonly threadId: string | undefined;
  readonly ns: string | undefined;
  readonly id: string | undefined;
  /** Only what is older than the checkpoint of this id. */
  readonly before: string | undefined;
}

/** Checkpoints from the last to the first, a page at a time. */
export async function* listCheckpoints(
  db: Queryable,
  { threadId, ns, id, before }: Wanted,
): AsyncGenerator<CheckpointRow[]> {
  for (let last: CheckpointRow | undefined; ; ) {
    const { rows } = await db.query<CheckpointRow>(LIST, [
      threadId ?? null,
      ns ?? null,
      id ?? null,
      before ?? null,
      last?.id ?? null,
      last?.thread ?? null,
      last?.ns ?? null,
      PAGE,
    ]);
    if (rows.length > 0) yield rows;
    if (rows.length < PAGE) return;
    last = rows.at(-1);
  }
}

const PARTS = /* sql */ `
with recursive part (hash, height, type, bytes) as (
  select hash, height, type, bytes
    from holdfast.checkpoint_parts
   where thread = $1
     and hash   = any ($2)
 union
  select inside.hash, inside.height, inside.type, inside.bytes
    from part piece
   cross join lateral json_array_elements(convert_from(piece.bytes, 'UTF8')::json) as name
    join holdfast.checkpoint_parts inside
      on inside.thread = $1
     and inside.hash   = name #>> '{}'
   where piece.height > 0
     and json_typeof(name) = 'string'
)
select hash, height, type, bytes
  from part`;

/** The parts of a thread that have these hashes, and all that is inside them. */
export async function getParts(
  db: Queryable,
  thread: string,
  hashes: readonly string[],
): Promise<Map<string, Part>> {
  if (hashes.length === 0) return new Map();
  const { rows } = await db.query<Part & { hash: string }>(PARTS, [thread, hashes]);
  return new Map(rows.map(({ hash, ...part }) => [hash, part]));
}

const ANCESTORS = /* sql */ `
with recursive line (id, parent, body, n) as (
  select id, parent, body, 1
    from holdfast.checkpoints
   where thread = $1
     and ns     = $2
     and id     = $3
 union all
  select c.id, c.parent, c.body, line.n + 1
    from line
    join holdfast.checkpoints c
      on c.thread = $1
     and c.ns     = $2
     and c.id     = line.parent
   where line.n < $4
)
select line.id, line.parent, line.body,
       (select coalesce(json_agg(json_build_array(w.task, w.channel, w.value::json) order by w.path, w.task, w.idx), '[]')
          from holdfast.checkpoint_writes w
         where w.thread  = $1
           and w.ns      = $2
           and w.id      = line.id
           and w.channel = any ($5)) as writes
  from line
 order by line.n`;

export type Ancestor = Pick<CheckpointRow, "id" | "parent" | "body" | "writes">;

/** A checkpoint and those that it came from, back to the first, with what was written there to some channels. */
export async function* ancestors(
  db: Queryable,
  thread: string,
  ns: string,
  from: string,
  channels: readonly string[],
): AsyncGenerator<Ancestor> {
  for (let next: string | null = from; next !== null; ) {
    const { rows }: { rows: Ancestor[] } = await db.query<Ancestor>(ANCESTORS, [
      thread,
      ns,
      next,
      PAGE,
      channels,
    ]);
    yield* rows;
    next = rows.length < PAGE ? null : (rows.at(-1)?.parent ?? null);
  }
}
