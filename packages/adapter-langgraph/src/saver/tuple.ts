import {
  type Checkpoint,
  type CheckpointPendingWrite,
  type CheckpointTuple,
  maxChannelVersion,
  type SerializerProtocol,
  TASKS,
} from "@langchain/langgraph-checkpoint";
import { join, type Part, partsOf } from "./parts.ts";
import {
  type Body,
  type CheckpointRow,
  getCheckpoint,
  getParts,
  type Place,
  type Queryable,
} from "./rows.ts";

/** What makes tuples of rows needs of the saver. */
export interface Reader {
  readonly serde: SerializerProtocol;
  getNextVersion(current: number | undefined): number;
}

/** Checkpoints with their values, as LangGraph takes them. Their parts are read a thread at a time. */
export async function tuplesOf(
  db: Queryable,
  rows: readonly CheckpointRow[],
  reader: Reader,
): Promise<CheckpointTuple[]> {
  const read = rows.map((row) => ({ row, body: JSON.parse(row.body) as Body }));
  const wanted = new Map<string, Set<string>>();
  for (const { row, body } of read) {
    const hashes = wanted.get(row.thread) ?? new Set();
    const refs = [...Object.values(body.values), ...row.writes.map(([, , value]) => value)];
    for (const hash of refs.flatMap(partsOf)) hashes.add(hash);
    wanted.set(row.thread, hashes);
  }
  const parts = new Map<string, ReadonlyMap<string, Part>>();
  for (const [thread, hashes] of wanted) parts.set(thread, await getParts(db, thread, [...hashes]));
  return await Promise.all(
    read.map(({ row, body }) => tupleOf(db, row, body, parts.get(row.thread) ?? new Map(), reader)),
  );
}

async function tupleOf(
  db: Queryable,
  row: CheckpointRow,
  body: Body,
  parts: ReadonlyMap<string, Part>,
  reader: Reader,
): Promise<CheckpointTuple> {
  const { thread_id, ns, id, parent, metadata, writes } = row;
  const { serde } = reader;
  const configOf = (checkpoint_id: string) => ({
    configurable: { thread_id, checkpoint_ns: ns, checkpoint_id },
  });
  const values = Object.entries(body.values).map(
    async ([channel, value]) => [channel, await join(value, parts, serde)] as const,
  );
  const channel_values = Object.fromEntries(await Promise.all(values));
  const checkpoint: Checkpoint = { ...body.checkpoint, id, channel_values };
  if (parent !== null && checkpoint.v < 4) {
    await bringSends(db, { threadId: thread_id, ns, id: parent }, checkpoint, reader);
  }
  const tuple: CheckpointTuple = {
    config: configOf(id),
    checkpoint,
    metadata: JSON.parse(metadata),
    pendingWrites: await valuesOf(writes, parts, serde),
  };
  return parent === null ? tuple : { ...tuple, parentConfig: configOf(parent) };
}

/** Checkpoints before version 4 had what was sent to tasks among the writes of their parents. */
async function bringSends(
  db: Queryable,
  parent: Place,
  checkpoint: Checkpoint,
  reader: Reader,
): Promise<void> {
  const before = await getCheckpoint(db, parent);
  const sends = (before?.writes ?? []).filter(([, channel]) => channel === TASKS);
  if (!before || sends.length === 0) return;
  const hashes = sends.flatMap(([, , value]) => partsOf(value));
  const sent = await valuesOf(sends, await getParts(db, before.thread, hashes), reader.serde);
  checkpoint.channel_values[TASKS] = sent.map(([, , value]) => value);
  const versions = Object.values(checkpoint.channel_versions);
  checkpoint.channel_versions[TASKS] =
    versions.length > 0 ? maxChannelVersion(...versions) : reader.getNextVersion(undefined);
}

/** Writes with their values. */
export function valuesOf(
  writes: CheckpointRow["writes"],
  parts: ReadonlyMap<string, Part>,
  serde: SerializerProtocol,
): Promise<CheckpointPendingWrite[]> {
  return Promise.all(
    writes.map(
      async ([task, channel, value]): Promise<CheckpointPendingWrite> => [
        task,
        channel,
        await join(value, parts, serde),
      ],
    ),
  );
}
