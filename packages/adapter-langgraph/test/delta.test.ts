import * as langgraph from "@langchain/langgraph";
import {
  Annotation,
  type BaseCheckpointSaver,
  DeltaChannel,
  END,
  MemorySaver,
  START,
  StateGraph,
} from "@langchain/langgraph";
import { describe, expect, test } from "vitest";
import { useSaver } from "./given-saver.ts";

const { saver, another, newThread } = useSaver();

/** Counts to `steps`, on a channel that stores its value at every so many of them. */
function counter(checkpointer: BaseCheckpointSaver, steps: number, snapshotFrequency: number) {
  const counts = new DeltaChannel<number[], number[]>((state, writes) => [...state, ...writes.flat()], {
    snapshotFrequency,
    initialValueFactory: () => [],
  });
  const State = Annotation.Root({
    counts: (() => counts) as unknown as ReturnType<typeof Annotation<number[]>>,
  });
  return new StateGraph(State)
    .addNode("count", ({ counts }) => ({ counts: [counts.length] }))
    .addEdge(START, "count")
    .addConditionalEdges("count", ({ counts }) => (counts.length % steps === 0 ? END : "count"))
    .compile({ checkpointer });
}

const upTo = (n: number) => Array.from({ length: n }, (_, i) => i);

describe.skipIf(!("DeltaChannel" in langgraph))("delta channels, which LangGraph has from 1.4 on", () => {
  test.each([7, 1_000])(
    "a delta channel that stores its value every %i steps is put together again",
    async (every) => {
      const config = { ...newThread(), recursionLimit: 200 };
      await counter(saver(), 120, every).invoke({ counts: [] }, config);
      const app = counter(another(), 120, every);
      expect((await app.getState(config)).values.counts).toEqual(upTo(120));
      await app.invoke({ counts: [] }, config);
      expect((await counter(another(), 120, every).getState(config)).values.counts).toEqual(upTo(240));
    },
  );

  test("its history is the one that LangGraph's own way of reading gives", async () => {
    const mine = saver();
    const memory = new MemorySaver();
    const config = { ...newThread(), recursionLimit: 200 };
    await counter(mine, 70, 30).invoke({ counts: [] }, config);
    await counter(memory, 70, 30).invoke({ counts: [] }, config);
    const asked = { config, channels: ["counts", "none"] };
    const slow = await Object.getPrototypeOf(MemorySaver.prototype).getDeltaChannelHistory.call(mine, asked);
    const quick = await mine.getDeltaChannelHistory(asked);
    expect(quick).toEqual(slow);
    expect(quick.counts?.writes.length).toBeGreaterThan(5);
    expect(quick.counts?.writes.map(([, , value]) => value)).toEqual(
      (await memory.getDeltaChannelHistory(await latest(memory, config))).counts?.writes.map(
        ([, , value]) => value,
      ),
    );
  });

  const latest = async (on: BaseCheckpointSaver, config: object) => ({
    config: (await on.getTuple(config))?.config ?? {},
    channels: ["counts"],
  });

  test("pruning keeps what a delta channel is put together from, and no more", async () => {
    const config = { ...newThread(), recursionLimit: 200 };
    await counter(saver(), 50, 20).invoke({ counts: [] }, config);
    const pruned = await saver().prune([config.configurable.thread_id]);
    expect(pruned).toBeGreaterThan(25);
    expect((await counter(another(), 50, 20).getState(config)).values.counts).toEqual(upTo(50));
  });
});
