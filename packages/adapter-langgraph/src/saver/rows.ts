import type { TablesDatabase } from "@holdfast/core";
import type { Checkpoint } from "@langchain/langgraph-checkpoint";
import type { Part, Ref } from "./parts.ts";

export type Queryable = Pick<TablesDatabase, "query">;

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

const HEAD = /* sql */ `
select c.id
  from holdfast.threads t
  join holdfast.checkpoints c using (thread)
 where t.thread_id = $1
   and c.ns        = ''
 order by c.id desc
 limit 1`;

/** The id of a thread's last checkpoint. */
export async function getHead(db: Queryable, threadId: string): Promise<string | undefined> {
  const { rows } = await db.query<{ id: string }>(HEAD, [threadId]);
  return rows[0]?.id;
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
