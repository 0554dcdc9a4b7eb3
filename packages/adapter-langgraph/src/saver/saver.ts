import { isDeepStrictEqual } from "node:util";
import {
  current,
  Holdfast,
  type HoldfastOptions,
  hf,
  type OwnedRun,
  type TablesDatabase,
} from "@holdfast/core";
import type { RunnableConfig } from "@langchain/core/runnables";
import {
  BaseCheckpointSaver,
  type ChannelVersions,
  type Checkpoint,
  type CheckpointListOptions,
  type CheckpointMetadata,
  type CheckpointTuple,
  type PendingWrite,
  type SerializerProtocol,
  WRITES_IDX_MAP,
} from "@langchain/langgraph-checkpoint";
import { type ChannelHistory, historyOf } from "./delta-history.ts";
import { putCheckpoint, putWrites, type Write, type Written } from "./fenced.ts";
import { migrations } from "./migrations.generated.ts";
import { missing, type Ref, split } from "./parts.ts";
import { lacking, pointIn, threadIn } from "./point.ts";
import { deleteThread, type PruneStrategy, pruneThread } from "./prune.ts";
import {
  type Body,
  getCheckpoint,
  getHead,
  listCheckpoints,
  openThread,
  type Place,
  type Thread,
} from "./rows.ts";
import { Seen, type State } from "./seen.ts";
import { tuplesOf } from "./tuple.ts";

/**
 * A LangGraph checkpointer on Holdfast's database. What a thread takes grows with what is new in it, and a fork has its
 * own values. Inside a run it writes as the run's owner: once the run was taken over, nothing more of it goes in, and
 * this process' execution of it stops with FENCED. Outside a run it is a checkpointer like any other.
 *
 * Methods throw INVALID_ARGUMENT where `configurable` lacks what names the checkpoint, and what `openHoldfast` throws
 * when they are the first to connect.
 */
export class HoldfastSaver extends BaseCheckpointSaver {
  readonly #holdfast: Holdfast;
  readonly #isOwn: boolean;
  readonly #seen = new Seen();

  /**
   * On the database of a Holdfast, by default of the one that programs share which open none, or on a database of its
   * own: what `openHoldfast` takes. To be fenced it must be on the database of the run. `serde`: as of any checkpointer.
   */
  constructor(on: Holdfast | NonNullable<HoldfastOptions["database"]> = hf, serde?: SerializerProtocol) {
    super(serde);
    this.#isOwn = !isHoldfast(on);
    this.#holdfast = isHoldfast(on) ? on : new Holdfast({ database: on });
  }

  /** Brings the checkpointer's tables up to date. Whatever is called first does so too. */
  async setup(): Promise<void> {
    await this.#database();
  }

  /** Closes the connections to a database of its own. A Holdfast that it was given stays open. */
  async end(): Promise<void> {
    if (this.#isOwn) await this.#holdfast.close();
  }

  /** A checkpoint with its values and pending writes: the one of `checkpoint_id`, or the last of its namespace. */
  override async getTuple(config: RunnableConfig): Promise<CheckpointTuple | undefined> {
    const { threadId, ns = "", id } = pointIn(config);
    if (threadId === undefined) return undefined;
    const db = await this.#database();
    const row = await getCheckpoint(db, { threadId, ns, id });
    if (!row) return undefined;
    this.#seen.see(threadId, row, row, stateOf(JSON.parse(row.body) as Body));
    return (await tuplesOf(db, [row], this))[0];
  }

  /** The id of the last checkpoint of a thread's own namespace: undefined where there is none. Reads no values. */
  async head(threadId: string): Promise<string | undefined> {
    return await getHead(await this.#database(), threadId);
  }

  /** Checkpoints from the last to the first. They are read as they are asked for, some fifty at a time. */
  override async *list(
    config: RunnableConfig,
    { limit, before, filter = {} }: CheckpointListOptions = {},
  ): AsyncGenerator<CheckpointTuple> {
    const db = await this.#database();
    let left = limit ?? Number.POSITIVE_INFINITY;
    for await (const page of listCheckpoints(db, { ...pointIn(config), before: pointIn(before ?? {}).id })) {
      const wanted = page.filter(({ metadata }) => isLike(JSON.parse(metadata), filter)).slice(0, left);
      yield* await tuplesOf(db, wanted, this);
      left -= wanted.length;
      if (left <= 0) return;
    }
  }

  /** Stores a checkpoint with its values: those of `newVersions`, and those of its parent that stayed as they were. */
  override async put(
    config: RunnableConfig,
    checkpoint: Checkpoint,
    metadata: CheckpointMetadata,
    newVersions: ChannelVersions,
  ): Promise<RunnableConfig> {
    const { threadId, ns = "", id: parent } = threadIn(config, "put");
    const { id, channel_values, ...others } = checkpoint;
    const rest = JSON.parse(JSON.stringify(others)) as typeof others;
    const versions = rest.channel_versions;
    const stayed = (before: State | undefined, channel: string) =>
      !(channel in newVersions) && before !== undefined && before.versions[channel] === versions[channel];
    // A fork brings all its values and calls none of them new.
    const bringsAll = parent !== undefined || metadata.source === "fork";
    const splitFrom = (before: State | undefined) =>
      split(
        pick(channel_values, (channel) => channel in newVersions || (bringsAll && !stayed(before, channel))),
        this.serde,
      );

    const likely = parent === undefined ? undefined : this.#seen.state(threadId, { ns, id: parent });
    const splitting = splitFrom(likely);
    const said = JSON.stringify(metadata);
    await this.#untilWritten(threadId, async (db, run, thread) => {
      const before = parent === undefined ? undefined : await this.#state(db, { threadId, ns, id: parent });
      const fresh = await (before === likely ? splitting : splitFrom(before));
      const kept = pick(before?.values ?? {}, (channel) => stayed(before, channel));
      const state: State = { versions, values: { ...kept, ...fresh.refs } };
      const row = {
        parent,
        body: { checkpoint: rest, values: state.values },
        metadata: said,
      };
      const parts = missing(fresh, this.#seen.parts(threadId));
      const written = await putCheckpoint(db, run, thread, { threadId, ns, id }, row, parts);
      if (written === "written") this.#seen.see(threadId, thread, { ns, id }, state);
      return written;
    });
    return { configurable: { thread_id: threadId, checkpoint_ns: ns, checkpoint_id: id } };
  }

  /** Stores what a task wrote, for the next step or for whoever goes on with this one. The first of two writers counts. */
  override async putWrites(
    config: RunnableConfig,
    writes: PendingWrite[],
    taskId: string,
    taskPath = "",
  ): Promise<void> {
    const { threadId, ns = "", id } = threadIn(config, "putWrites");
    if (id === undefined) throw lacking("putWrites", "checkpoint_id");
    if (writes.length === 0) return;
    const byIndex = new Map(writes.map((write, i) => [WRITES_IDX_MAP[write[0]] ?? i, write]));
    const splitting = split(
      Object.fromEntries([...byIndex].map(([idx, [, value]]) => [String(idx), value])),
      this.serde,
    );
    await this.#untilWritten(threadId, async (db, run, thread) => {
      const made = await splitting;
      const rows = [...byIndex].map(
        ([idx, [channel]]): Write => ({ idx, channel, value: made.refs[String(idx)] as Ref }),
      );
      const parts = missing(made, this.#seen.parts(threadId));
      const task = { task: taskId, path: taskPath };
      return await putWrites(db, run, thread, { threadId, ns, id }, task, rows, parts);
    });
  }

  /** Deletes all that is stored of a thread. */
  override async deleteThread(threadId: string): Promise<void> {
    await this.prune([threadId], "delete");
  }

  /**
   * Deletes checkpoints of threads: all but the last of each namespace (`keep_latest`, and what its delta channels still
   * need), or all (`delete`). Values that nothing names any more go with them. Gives back how many checkpoints went.
   */
  async prune(threadIds: readonly string[], strategy: PruneStrategy = "keep_latest"): Promise<number> {
    const prune = strategy === "delete" ? deleteThread : pruneThread;
    let pruned = 0;
    for (const threadId of threadIds) {
      pruned += (await asOwner(async (run) => prune(await this.#database(), run, threadId))) ?? 0;
      this.#seen.forget(threadId);
    }
    return pruned;
  }

  /**
   * What was written to delta channels before a checkpoint, and the value that the nearest ancestor has stored. Reads
   * ancestors some fifty at a time, and of their values only what is asked for.
   */
  override async getDeltaChannelHistory({
    config,
    channels,
  }: {
    config: RunnableConfig;
    channels: string[];
  }): Promise<Record<string, ChannelHistory>> {
    const { threadId, ns = "", id } = pointIn(config);
    const db = await this.#database();
    const target = threadId === undefined ? undefined : await getCheckpoint(db, { threadId, ns, id });
    return await historyOf(db, target, channels, this.serde);
  }

  #database(): Promise<TablesDatabase> {
    return this.#holdfast.tables({ package: "@holdfast/langgraph", migrations });
  }

  /** Writes by what was seen of the thread; where that no longer holds, by what is seen now. */
  async #untilWritten(
    threadId: string,
    write: (db: TablesDatabase, run: OwnedRun | undefined, thread: Thread) => Promise<Written | undefined>,
  ): Promise<void> {
    await asOwner(async (run) => {
      const db = await this.#database();
      for (;;) {
        const thread = this.#seen.thread(threadId) ?? (await openThread(db, threadId));
        this.#seen.see(threadId, thread);
        const written = await write(db, run, thread);
        if (written !== "other thread") return written;
        this.#seen.forget(threadId);
      }
    });
  }

  /** Which values a stored checkpoint has. */
  async #state(db: TablesDatabase, place: Place): Promise<State | undefined> {
    const seen = this.#seen.state(place.threadId, place);
    if (seen) return seen;
    const row = await getCheckpoint(db, place);
    if (!row) return undefined;
    const state = stateOf(JSON.parse(row.body) as Body);
    this.#seen.see(place.threadId, row, place, state);
    return state;
  }
}

/** Inside a run as its owner, and not at all where that is no longer this process; outside of one just so. */
async function asOwner<T>(
  write: (run: OwnedRun | undefined) => Promise<T | undefined>,
): Promise<T | undefined> {
  const port = current();
  return await (port ? port.owned(write) : write(undefined));
}

const stateOf = ({ checkpoint, values }: Body): State => ({
  versions: checkpoint.channel_versions,
  values,
});

const isLike = (metadata: Readonly<Record<string, unknown>>, filter: Readonly<Record<string, unknown>>) =>
  Object.entries(filter).every(([name, value]) => isDeepStrictEqual(metadata[name], value));

const pick = <T>(from: Readonly<Record<string, T>>, wanted: (name: string) => boolean): Record<string, T> =>
  Object.fromEntries(Object.entries(from).filter(([name]) => wanted(name)));

/** Two copies of core may meet in one process: hence not by its class. */
const isHoldfast = (on: object | string): on is Holdfast => typeof on === "object" && "tables" in on;
