import { AIMessage, type BaseMessage, HumanMessage } from "@langchain/core/messages";
import {
  Annotation,
  Command,
  END,
  entrypoint,
  getPreviousState,
  interrupt,
  MessagesAnnotation,
  START,
  StateGraph,
} from "@langchain/langgraph";
import { emptyCheckpoint, uuid6 } from "@langchain/langgraph-checkpoint";
import { describe, expect, test } from "vitest";
import type { HoldfastSaver } from "../src/index.ts";
import { useSaver } from "./given-saver.ts";

const { saver, another, sql, session, eventually, newThread } = useSaver();

const waitsForALock = () =>
  eventually(async () => {
    const waiting = await sql(
      "select from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()",
    );
    return waiting.length > 0;
  });

const log = Annotation<string[]>({ reducer: (a, b) => a.concat(b), default: () => [] });
const Log = Annotation.Root({ log });

/** Two nodes that say in which run of theirs they are. */
function twoNodes(on: HoldfastSaver) {
  let run = 1;
  const app = new StateGraph(Log)
    .addNode("a", () => ({ log: [`a of run ${run}`] }))
    .addNode("b", () => ({ log: [`b of run ${run}`] }))
    .addEdge(START, "a")
    .addEdge("a", "b")
    .compile({ checkpointer: on });
  return {
    app,
    again: () => {
      run++;
    },
  };
}

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

describe("forks", () => {
  test("a fork keeps its own values, and what it was forked from keeps its own (langgraphjs#1812)", async () => {
    const { app, again } = twoNodes(saver());
    const config = newThread();
    await app.invoke({ log: ["in"] }, config);
    const history = await collect(app.getStateHistory(config));
    const beforeA = history.find(({ next }) => next[0] === "a");
    const first = history[0];

    again();
    const forked = await app.invoke(null, beforeA?.config ?? {});
    expect(forked.log).toEqual(["in", "a of run 2", "b of run 2"]);
    expect((await app.getState(config)).values.log).toEqual(forked.log);
    expect((await app.getState(first?.config ?? {})).values.log).toEqual(["in", "a of run 1", "b of run 1"]);
  });

  test("both branches of a state that was updated keep their values", async () => {
    const { app } = twoNodes(saver());
    const config = newThread();
    await app.invoke({ log: ["in"] }, config);
    const [last] = await collect(app.getStateHistory(config));
    const left = await app.updateState(last?.config ?? {}, { log: ["left"] });
    const right = await app.updateState(last?.config ?? {}, { log: ["right"] });
    expect((await app.getState(left)).values.log.at(-1)).toBe("left");
    expect((await app.getState(right)).values.log.at(-1)).toBe("right");
  });

  test("a copy of a checkpoint has all that it was copied from had, also of the first one", async () => {
    const { app } = twoNodes(saver());
    const config = newThread();
    await app.invoke({ log: ["in"] }, config);
    for (const state of await collect(app.getStateHistory(config))) {
      const copy = await app.updateState(state.config, null, "__copy__");
      const copied = await app.getState(copy);
      expect(copied.values).toEqual(state.values);
      expect(copied.next).toEqual(state.next);
    }
  });
});

describe("what is kept", () => {
  test("messages come back as messages of their class", async () => {
    const app = new StateGraph(MessagesAnnotation)
      .addNode("model", () => ({ messages: [new AIMessage({ content: "yes", id: "1" })] }))
      .addEdge(START, "model")
      .compile({ checkpointer: saver() });
    const config = newThread();
    await app.invoke({ messages: [new HumanMessage("well?")] }, config);
    const { messages } = (await app.getState(config)).values as { messages: BaseMessage[] };
    expect(messages.map((message) => message.constructor.name)).toEqual(["HumanMessage", "AIMessage"]);
  });

  test("an interrupt is answered in another process", async () => {
    const graph = new StateGraph(Log)
      .addNode("ask", () => ({ log: [interrupt("really?") as string] }))
      .addEdge(START, "ask");
    const config = newThread();
    await graph.compile({ checkpointer: saver() }).invoke({ log: [] }, config);
    const later = graph.compile({ checkpointer: another() });
    expect((await later.getState(config)).tasks[0]?.interrupts[0]?.value).toBe("really?");
    expect((await later.invoke(new Command({ resume: "yes" }), config)).log).toEqual(["yes"]);
  });

  test("what finished beside a node that failed is not run again", async () => {
    let runs = 0;
    let fails = true;
    const isKept = async () =>
      (await sql("select from holdfast.checkpoint_writes where value like '%good 1%'")).length > 0;
    const app = new StateGraph(Log)
      .addNode("good", () => ({ log: [`good ${++runs}`] }))
      .addNode("bad", async () => {
        await eventually(isKept);
        if (fails) throw new Error("not yet");
        return { log: ["bad"] };
      })
      .addEdge(START, "good")
      .addEdge(START, "bad")
      .compile({ checkpointer: saver() });
    const config = newThread();
    await expect(app.invoke({ log: [] }, { ...config, durability: "sync" })).rejects.toThrow("not yet");
    fails = false;
    expect(new Set((await app.invoke(null, config)).log)).toEqual(new Set(["good 1", "bad"]));
  });

  test("a functional workflow finds what it saved", async () => {
    const count = entrypoint({ name: "count", checkpointer: saver() }, (by: number) => {
      const seen = getPreviousState<{ seen: number[] }>()?.seen ?? [];
      return Promise.resolve({ seen: [...seen, by] });
    });
    const config = newThread();
    await count.invoke(1, config);
    expect(await count.invoke(2, config)).toEqual({ seen: [1, 2] });
  });

  test.each(["sync", "async", "exit"] as const)("with durability %s a thread goes on", async (durability) => {
    const { app } = twoNodes(saver());
    const config = { ...newThread(), durability };
    await app.invoke({ log: ["first"] }, config);
    const { log } = await app.invoke({ log: ["second"] }, config);
    expect(log).toHaveLength(6);
    expect((await app.getState(config)).values.log).toEqual(log);
  });

  test("text that Postgres takes nowhere comes back as it was", async () => {
    const { app } = twoNodes(saver());
    const config = newThread();
    const texts = ["a NUL: \0", "half a pair: \ud83d", "a backslash u0000: \\u0000", "\u2028"];
    const odd = [
      ...texts,
      ...Array.from({ length: 40 }, (_, i) => `\0${i}`),
      `\0 and long: ${"x".repeat(60)}`,
    ];
    await app.invoke({ log: odd }, config);
    expect((await another().getTuple(config))?.checkpoint.channel_values.log).toEqual(
      expect.arrayContaining(odd),
    );
  });

  test("ids that are numbers are ids", async () => {
    const { app } = twoNodes(saver());
    const config = { configurable: { thread_id: 7 } };
    await app.invoke({ log: ["in"] }, config);
    expect((await app.getState({ configurable: { thread_id: "7" } })).values.log).toHaveLength(3);
  });

  test("a write without a thread says what is missing", async () => {
    await expect(saver().putWrites({ configurable: {} }, [["a", 1]], "task")).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      message: expect.stringContaining("thread_id"),
    });
  });
});

describe("writes of a task", () => {
  const write = async (value: unknown, channel = "answers", on = saver()) =>
    on.putWrites(at, [[channel, value]], "task");
  let at = {};
  const written = async () => (await saver().getTuple(at))?.pendingWrites?.map(([, , value]) => value);
  const aCheckpoint = async () => {
    const metadata = { source: "input", step: -1, parents: {} } as const;
    at = await saver().put(newThread(), { ...emptyCheckpoint(), id: uuid6(1) }, metadata, {});
  };

  test("the first of two writers counts", async () => {
    await aCheckpoint();
    await write("first");
    await write("second", "answers", another());
    expect(await written()).toEqual(["first"]);
  });

  test("of what LangGraph itself keeps of a task, the last counts", async () => {
    await aCheckpoint();
    await write("first", "__resume__");
    await write("second", "__resume__", another());
    expect(await written()).toEqual(["second"]);
  });

  test("they may come before their checkpoint", async () => {
    const config = newThread();
    const checkpoint = { ...emptyCheckpoint(), id: uuid6(1) };
    at = { configurable: { ...config.configurable, checkpoint_ns: "", checkpoint_id: checkpoint.id } };
    await write("early");
    await saver().put(config, checkpoint, { source: "input", step: -1, parents: {} }, {});
    expect(await written()).toEqual(["early"]);
  });

  test("they are in the order of their tasks' paths, by code point, and then of their tasks", async () => {
    await aCheckpoint();
    const tasks = [
      ["b", "~pull, é"],
      ["a", "~pull, z"],
      ["c", "~pull, Z"],
      ["d", ""],
    ] as const;
    for (const [task, path] of tasks) await saver().putWrites(at, [["answers", task]], task, path);
    expect(await written()).toEqual(["d", "c", "a", "b"]);
  });
});

describe("several at once", () => {
  test("writers of one thread in several processes do not block each other, and lose nothing", async () => {
    const savers = [saver(), another(), another()];
    const config = newThread();
    const metadata = { source: "input", step: -1, parents: {} } as const;
    const at = await saver().put(config, { ...emptyCheckpoint(), id: uuid6(1) }, metadata, {});
    const texts = Array.from(
      { length: 40 },
      (_, i) => `a text that is too long to stand where it is named, ${i}`,
    );
    await Promise.all(
      savers.flatMap((on, n) =>
        Array.from({ length: 10 }, (_, i) =>
          on.putWrites(at, [["texts", n % 2 ? texts : texts.toReversed()]], `task ${n}.${i}`),
        ),
      ),
    );
    expect((await another().getTuple(at))?.pendingWrites).toHaveLength(30);
  });

  test("writers put parts in in one order, so that two of them cannot wait for each other", async () => {
    const texts = Array.from(
      { length: 40 },
      (_, i) => `a text that is too long to stand where it is named, ${i}`,
    );
    const write = async ({ configurable }: { configurable: object }, value: unknown) =>
      saver().putWrites(
        { configurable: { ...configurable, checkpoint_id: "1" } },
        [["texts", value]],
        "task",
      );
    const [model, config] = [newThread(), newThread()];
    await write(model, texts);
    await write(config, []);

    const other = await session();
    await other.query("set lock_timeout = '300ms'");
    await other.query("begin");
    const copy = (which: string) =>
      other.query(
        `insert into holdfast.checkpoint_parts
         select t.thread, p.hash, p.height, p.type, p.bytes
           from holdfast.threads t, holdfast.checkpoint_parts p join holdfast.threads m using (thread)
          where t.thread_id = $1 and m.thread_id = $2
          order by p.hash ${which}`,
        [config.configurable.thread_id, model.configurable.thread_id],
      );
    await copy("limit 1");
    const writing = saver().putWrites(
      { configurable: { ...config.configurable, checkpoint_id: "1" } },
      [["texts", texts]],
      "another task",
    );
    await waitsForALock();
    await copy("offset 1"); // the writer that waits has put none of these in
    await other.query("commit");
    await expect(writing).resolves.toBeUndefined();
  });

  test("a thread that was deleted elsewhere is begun anew, with all its values", async () => {
    const [mine, theirs] = [saver(), another()];
    const { app } = twoNodes(mine);
    const config = newThread();
    await app.invoke({ log: ["a text that is too long to stand where it is named"] }, config);
    const before = await app.getState(config);
    await theirs.deleteThread(config.configurable.thread_id);
    // What this process goes on with, it still has; what it took for stored is not.
    await app.updateState(config, { log: ["anew"] }, "b");
    expect((await app.getState(config)).values.log).toEqual(["anew"]);
    expect(before.values.log).toHaveLength(3);
  });

  test("a checkpoint whose parent was deleted elsewhere brings its values itself", async () => {
    const [mine, theirs] = [saver(), another()];
    const config = newThread();
    const long = "a text that is too long to stand where it is named";
    const first = {
      ...emptyCheckpoint(),
      id: uuid6(1),
      channel_values: { a: long },
      channel_versions: { a: 1 },
    };
    const metadata = { source: "loop", step: 0, parents: {} } as const;
    const at = await mine.put(config, first, metadata, { a: 1 });
    await theirs.deleteThread(config.configurable.thread_id);
    const next = await mine.put(at, { ...first, id: uuid6(2) }, metadata, {});
    expect((await another().getTuple(next))?.checkpoint.channel_values).toEqual({ a: long });
  });
});

describe("deleting", () => {
  const tables = ["threads", "checkpoints", "checkpoint_writes", "checkpoint_parts"];
  const counts = async () => {
    const rows = tables.map((table) =>
      sql<{ n: number }>(`select count(*)::int as n from holdfast.${table}`),
    );
    return (await Promise.all(rows)).map(([row]) => row?.n ?? 0);
  };

  test("a thread that is deleted leaves nothing behind, and takes nothing of others with it", async () => {
    const { app } = twoNodes(saver());
    const [gone, stays] = [newThread(), newThread()];
    await app.invoke({ log: ["a text that is too long to stand where it is named"] }, stays);
    const before = await counts();
    await app.invoke({ log: ["a text that is too long to stand where it is named"] }, gone);
    await saver().deleteThread(gone.configurable.thread_id);
    expect(await counts()).toEqual(before);
    expect((await app.getState(stays)).values.log).toHaveLength(3);
    expect(await saver().getTuple(gone)).toBeUndefined();
  });

  test("pruning leaves the last checkpoint of each namespace, and goes on from it", async () => {
    const State = Annotation.Root({ log, note: Annotation<string> });
    const child = new StateGraph(State)
      .addNode("inner", () => ({ log: ["inner"] }))
      .addEdge(START, "inner")
      .compile({ checkpointer: true });
    const app = new StateGraph(State)
      .addNode("child", child)
      .addEdge(START, "child")
      .compile({ checkpointer: saver() });
    const config = newThread();
    const note = (n: number) => `a text that is too long to stand where it is named, ${n}`;
    for (const n of [1, 2, 3]) await app.invoke({ log: [`${n}`], note: note(n) }, config);
    const { values } = await app.getState(config);
    const notes = () =>
      sql(
        `select from holdfast.checkpoint_parts join holdfast.threads using (thread)
          where thread_id = $1 and encode(bytes, 'escape') like '"a text that is too long%'`,
        [config.configurable.thread_id],
      );
    expect(await notes()).toHaveLength(3);

    expect(await saver().prune([config.configurable.thread_id])).toBeGreaterThan(6);
    const left = await collect(saver().list(config));
    expect(left).toHaveLength(2);
    expect(new Set(left.map(({ config }) => config.configurable?.checkpoint_ns))).toEqual(
      new Set(["", "child"]),
    );
    expect(await notes()).toHaveLength(1);
    expect((await app.getState(config)).values).toEqual(values);

    const after = await app.invoke({ log: ["4"], note: note(4) }, config);
    expect((await another().getTuple(config))?.checkpoint.channel_values).toMatchObject(after);
  });

  test("what was seen before a pruning elsewhere is sent again after it", async () => {
    const [mine, theirs] = [saver(), another()];
    const config = newThread();
    const metadata = { source: "loop", step: 0, parents: {} } as const;
    const long = "a text that is too long to stand where it is named";
    const first = {
      ...emptyCheckpoint(),
      id: uuid6(1),
      channel_values: { a: long },
      channel_versions: { a: 1 },
    };
    const at = await mine.put(config, first, metadata, { a: 1 });
    const empty = { ...emptyCheckpoint(), id: uuid6(2), channel_versions: { a: 2 } };
    await theirs.put(at, empty, metadata, { a: 2 });
    await theirs.prune([config.configurable.thread_id]);
    const fork = await mine.put(at, { ...first, id: uuid6(3) }, metadata, {});
    expect((await another().getTuple(fork))?.checkpoint.channel_values).toEqual({ a: long });
  });

  test("a pruning waits for a checkpoint that is being written, and keeps what it names", async () => {
    const config = newThread();
    const metadata = { source: "loop", step: 0, parents: {} } as const;
    const long = "a text that is too long to stand where it is named";
    const first = {
      ...emptyCheckpoint(),
      id: uuid6(1),
      channel_values: { a: long },
      channel_versions: { a: 1 },
    };
    const at = await saver().put(config, first, metadata, { a: 1 });
    const next = { ...emptyCheckpoint(), id: uuid6(2), channel_versions: { a: 2 } };
    const last = await saver().put(at, next, metadata, { a: 2 });

    // Another writer is in the middle of its statement: it names the first checkpoint's part once more.
    const writer = await session();
    await writer.query("begin");
    await writer.query("select from holdfast.threads where thread_id = $1 for key share", [
      config.configurable.thread_id,
    ]);
    const pruning = another().prune([config.configurable.thread_id]);
    await waitsForALock();
    await writer.query(
      `insert into holdfast.checkpoints (thread, ns, id, parent, body, metadata)
       select thread, ns, $2, $3, body, metadata from holdfast.checkpoints where id = $1`,
      [first.id, uuid6(3), last.configurable?.checkpoint_id],
    );
    await writer.query("commit");
    expect(await pruning).toBe(2);
    expect((await another().getTuple(config))?.checkpoint.channel_values).toEqual({ a: long });
  });

  test("a checkpoint that is written during a pruning waits for it, and sends again what went", async () => {
    const mine = saver();
    const config = newThread();
    const metadata = { source: "loop", step: 0, parents: {} } as const;
    const long = "a text that is too long to stand where it is named";
    const first = {
      ...emptyCheckpoint(),
      id: uuid6(1),
      channel_values: { a: long },
      channel_versions: { a: 1 },
    };
    const at = await mine.put(config, first, metadata, { a: 1 });

    const pruner = await session();
    await pruner.query("begin");
    await pruner.query("select from holdfast.threads where thread_id = $1 for update", [
      config.configurable.thread_id,
    ]);
    const writing = mine.put(at, { ...first, id: uuid6(2) }, metadata, {});
    await waitsForALock();
    await pruner.query(
      `delete from holdfast.checkpoint_parts
        where thread = (select thread from holdfast.threads where thread_id = $1)`,
      [config.configurable.thread_id],
    );
    await pruner.query(
      `delete from holdfast.checkpoints
        where thread = (select thread from holdfast.threads where thread_id = $1)`,
      [config.configurable.thread_id],
    );
    await pruner.query("update holdfast.threads set sweeps = sweeps + 1 where thread_id = $1", [
      config.configurable.thread_id,
    ]);
    await pruner.query("commit");
    expect((await another().getTuple(await writing))?.checkpoint.channel_values).toEqual({ a: long });
  });

  test("an unpruned thread that is pruned again loses nothing", async () => {
    const { app } = twoNodes(saver());
    const config = newThread();
    await app.invoke({ log: ["in"] }, config);
    await saver().prune([config.configurable.thread_id]);
    expect(await saver().prune([config.configurable.thread_id])).toBe(0);
    expect((await app.getState(config)).values.log).toHaveLength(3);
  });
});

test("history is read as far as it is asked for, from the last on", async () => {
  const app = new StateGraph(Log)
    .addNode("n", () => ({ log: ["again"] }))
    .addEdge(START, "n")
    .addConditionalEdges("n", (state) => (state.log.length >= 120 ? END : "n"))
    .compile({ checkpointer: saver() });
  const config = newThread();
  await app.invoke({ log: [] }, { ...config, recursionLimit: 200 });
  const all = await collect(saver().list(config));
  expect(all.map(({ metadata }) => metadata?.step)).toEqual(Array.from({ length: 122 }, (_, i) => 120 - i));
  const some = await collect(saver().list(config, { limit: 60, before: all[3]?.config ?? {} }));
  expect(some.map(({ config }) => config.configurable?.checkpoint_id)).toEqual(
    all.slice(4, 64).map(({ config }) => config.configurable?.checkpoint_id),
  );
  const inputs = await collect(saver().list(config, { filter: { source: "input" } }));
  expect(inputs.map(({ metadata }) => metadata?.step)).toEqual([-1]);
});
