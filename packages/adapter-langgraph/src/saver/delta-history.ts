import type { CheckpointPendingWrite, SerializerProtocol } from "@langchain/langgraph-checkpoint";
import { join, type Part, partsOf, type Ref } from "./parts.ts";
import { type Ancestor, ancestors, type Body, type CheckpointRow, getParts, type Queryable } from "./rows.ts";
import { valuesOf } from "./tuple.ts";

/** What was written to a delta channel, from the oldest on, and the value before, where one is stored. */
export interface ChannelHistory {
  writes: CheckpointPendingWrite[];
  seed?: unknown;
}

/**
 * The histories of delta channels at a checkpoint: the value is that of the nearest ancestor that has one, and what was
 * written there and since is the history. Of the ancestors' values only these are read.
 */
export async function historyOf(
  db: Queryable,
  target: CheckpointRow | undefined,
  channels: readonly string[],
  serde: SerializerProtocol,
): Promise<Record<string, ChannelHistory>> {
  const line: Ancestor["writes"][] = [];
  const seeds = new Map<string, Ref>();
  if (target?.parent && channels.length > 0) {
    for await (const { body, writes } of ancestors(db, target.thread, target.ns, target.parent, channels)) {
      line.push(writes.filter(([, channel]) => !seeds.has(channel)));
      const { values } = JSON.parse(body) as Body;
      for (const channel of channels) {
        const value = values[channel];
        if (value !== undefined && !seeds.has(channel)) seeds.set(channel, value);
      }
      if (seeds.size === new Set(channels).size) break;
    }
  }
  const writes = line.toReversed().flat();
  const refs = [...seeds.values(), ...writes.map(([, , value]) => value)];
  const parts = target ? await getParts(db, target.thread, refs.flatMap(partsOf)) : new Map<string, Part>();
  const histories = channels.map(async (channel) => {
    const own = writes.filter(([, written]) => written === channel);
    const history: ChannelHistory = { writes: await valuesOf(own, parts, serde) };
    const seed = seeds.get(channel);
    if (seed !== undefined) history.seed = await join(seed, parts, serde);
    return [channel, history] as const;
  });
  return Object.fromEntries(await Promise.all(histories));
}
