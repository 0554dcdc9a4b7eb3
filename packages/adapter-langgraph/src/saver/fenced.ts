import type { OwnedRun } from "@holdfast/core";
import type { Part, Ref } from "./parts.ts";
import type { Body, Place, Queryable, Thread } from "./rows.ts";

export interface Write {
  readonly idx: number;
  readonly channel: string;
  readonly value: Ref;
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
