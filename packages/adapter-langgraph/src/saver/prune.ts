import type { OwnedRun, TablesDatabase } from "@holdfast/core";
import type { CheckpointMetadata } from "@langchain/langgraph-checkpoint";
import { partsOf, type Ref } from "./parts.ts";
import { type Body, getParts } from "./rows.ts";

export type PruneStrategy = "keep_latest" | "delete";

type Transaction = Parameters<Parameters<TablesDatabase["transaction"]>[0]>[0];

// The fence of fenced.ts, for transactions: they lock the run's head first.
const OWN = /* sql */ `
select run
  from holdfast.runs
 where run_id = $1
   and epoch  = $2
   and status in ('running', 'waiting', 'queued')
   for no key update`;

// Writers of the thread are waited for, and find it swept when it is their turn.
const LOCK = /* sql */ `select thread from holdfast.threads where thread_id = $1 for update`;

/** Deletes all that there is of a thread. Undefined: not as the owner of the run. */
export async function deleteThread(
  db: TablesDatabase,
  run: OwnedRun | undefined,
  threadId: string,
): Promise<number | undefined> {
  return await db.transaction(async (tx) => {
    if (!(await isOwned(tx, run))) return undefined;
    const thread = await lock(tx, threadId);
    return thread === undefined ? 0 : await deleteAll(tx, thread);
  });
}

/**
 * Deletes all checkpoints of a thread but the last of each namespace, and the parts that nothing names any more. Undefined:
 * not as the owner of the run.
 */
export async function pruneThread(
  db: TablesDatabase,
  run: OwnedRun | undefined,
  threadId: string,
): Promise<number | undefined> {
  return await db.transaction(async (tx) => {
    if (!(await isOwned(tx, run))) return undefined;
    const thread = await lock(tx, threadId);
    return thread === undefined ? 0 : await keepLatest(tx, thread);
  });
}

async function isOwned(tx: Transaction, run: OwnedRun | undefined): Promise<boolean> {
  if (!run) return true;
  const { rows } = await tx.query(OWN, [run.runId, run.epoch]);
  return rows.length > 0;
}

async function lock(tx: Transaction, threadId: string): Promise<string | undefined> {
  const { rows } = await tx.query<{ thread: string }>(LOCK, [threadId]);
  return rows[0]?.thread;
}

const DELETE_CHECKPOINTS = /* sql */ `delete from holdfast.checkpoints where thread = $1 returning id`;
const DELETE_WRITES = /* sql */ `delete from holdfast.checkpoint_writes where thread = $1`;
const DELETE_PARTS = /* sql */ `delete from holdfast.checkpoint_parts where thread = $1`;
const DELETE_THREAD = /* sql */ `delete from holdfast.threads where thread = $1`;

async function deleteAll(tx: Transaction, thread: string): Promise<number> {
  const { rows } = await tx.query(DELETE_CHECKPOINTS, [thread]);
  await tx.query(DELETE_WRITES, [thread]);
  await tx.query(DELETE_PARTS, [thread]);
  await tx.query(DELETE_THREAD, [thread]);
  return rows.length;
}

const LINES = /* sql */ `
select ns, id, parent, body, metadata
  from holdfast.checkpoints
 where thread = $1
 order by ns, id desc`;

const DELETE_OTHERS = /* sql */ `
delete from holdfast.checkpoints c
 where c.thread = $1
   and not exists (select from unnest($2::text[], $3::text[]) as keep (ns, id) where keep.ns = c.ns and keep.id = c.id)
returning id`;

// Writes whose checkpoint has not come yet belong to a step that is under way: the last checkpoint is older than they are.
const DELETE_OTHERS_WRITES = /* sql */ `
delete from holdfast.checkpoint_writes w
 where w.thread = $1
   and not exists (select from holdfast.checkpoints c where c.thread = w.thread and c.ns = w.ns and c.id = w.id)
   and w.id collate "C" < (select max(c.id) from holdfast.checkpoints c where c.thread = w.thread and c.ns = w.ns)
returning id`;

const NAMED_BY_WRITES = /* sql */ `select value from holdfast.checkpoint_writes where thread = $1`;

const DELETE_UNNAMED = /* sql */ `delete from holdfast.checkpoint_parts where thread = $1 and hash <> all ($2)`;

const SWEPT = /* sql */ `update holdfast.threads set sweeps = sweeps + 1 where thread = $1`;

interface LineRow {
  readonly ns: string;
  readonly id: string;
  readonly parent: string | null;
  readonly body: string;
  readonly metadata: string;
}

async function keepLatest(tx: Transaction, thread: string): Promise<number> {
  const { rows } = await tx.query<LineRow>(LINES, [thread]);
  const kept = keptOf(rows);
  const deleted = await tx.query(DELETE_OTHERS, [thread, kept.map(({ ns }) => ns), kept.map(({ id }) => id)]);
  await tx.query(DELETE_OTHERS_WRITES, [thread]);

  const writes = await tx.query<{ value: string }>(NAMED_BY_WRITES, [thread]);
  const refs = [
    ...kept.flatMap(({ body }) => Object.values((JSON.parse(body) as Body).values)),
    ...writes.rows.map(({ value }) => JSON.parse(value) as Ref),
  ];
  const named = await getParts(tx, thread, refs.flatMap(partsOf));
  await tx.query(DELETE_UNNAMED, [thread, [...named.keys()]]);
  await tx.query(SWEPT, [thread]);
  return deleted.rows.length;
}

/**
 * The last checkpoint of each namespace. A delta channel has its value in some ancestor, and its changes in the writes
 * since: these stay with it.
 */
function keptOf(rows: readonly LineRow[]): LineRow[] {
  const byPlace = new Map(rows.map((row) => [placeOf(row), row]));
  const latest = new Map<string, LineRow>();
  for (const row of rows) if (!latest.has(row.ns)) latest.set(row.ns, row);

  const kept: LineRow[] = [];
  for (const row of latest.values()) {
    const { counters_since_delta_snapshot: deltas = {} } = JSON.parse(row.metadata) as CheckpointMetadata;
    const open = new Set(Object.keys(deltas));
    let next: LineRow | undefined = row;
    while (next) {
      kept.push(next);
      for (const channel of Object.keys((JSON.parse(next.body) as Body).values)) open.delete(channel);
      next =
        open.size > 0 && next.parent !== null
          ? byPlace.get(placeOf({ ns: row.ns, id: next.parent }))
          : undefined;
    }
  }
  return kept;
}

const placeOf = ({ ns, id }: { ns: string; id: string }) => `${ns}\0${id}`;
