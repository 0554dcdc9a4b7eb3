import type { Holdfast } from "@holdfast/core";
import { Annotation, Command, END, MemorySaver, START, StateGraph } from "@langchain/langgraph";
import { describe, expect, test } from "vitest";
import { withDurability } from "../src/index.ts";
import { type CompiledMessagesGraph, handWritten, idioms, lastText, type Parts, toolOf } from "./graphs.ts";
import { ScriptedChat, type Turn } from "./scripted-chat.ts";
import { dieIn, dying, newThread, workbench } from "./workbench.ts";

const { here, open } = workbench({ tools: { second: { effect: "idempotent" } } });

const turns: Turn[] = [
  { calls: [{ name: "first", input: { n: 1 } }] },
  { calls: [{ name: "second", input: { n: 2 } }] },
  { text: "done" },
];
const input = { messages: [{ role: "user", content: "Go." }] };

/** An agent whose process is gone in the second of its tools, on a saver that outlives it. */
function crashing(
  make: (parts: Parts) => CompiledMessagesGraph,
  checkpointer?: MemorySaver,
  script: readonly Turn[] = turns,
) {
  const log: string[] = [];
  const death = dying();
  const model = new ScriptedChat(script);
  const tools = [
    toolOf("first", () => {
      log.push("first");
      return { ok: 1 };
    }),
    toolOf("second", () => {
      log.push("second");
      return death.body();
    }),
  ];
  return { log, model, reached: death.reached, graph: make({ model, tools, checkpointer }) };
}

describe.each(Object.entries(idioms))("a thread whose process dies in a tool of %s", (_, make) => {
  test.each([
    ["nothing", null],
    ["the same input", input],
  ])("goes on with %s", async (_, again) => {
    const { log, model, reached, graph } = crashing(make);
    const thread = newThread();
    const first = await open();
    await dieIn(first, reached, () => withDurability(graph, { holdfast: first }).invoke(input, thread));

    const state = await withDurability(graph, { holdfast: await open() }).invoke(again, thread);
    expect(lastText(state)).toBe("done");
    expect(state.messages).toHaveLength(6);
    expect(log).toEqual(["first", "second", "second"]);
    expect(model.asked).toHaveLength(3);
  });

  test.each(["sync", "async", "exit"] as const)("goes on with the durability %s", async (durability) => {
    const { log, model, reached, graph } = crashing(make, new MemorySaver());
    const thread = { ...newThread(), durability };
    const first = await open();
    await dieIn(first, reached, () => withDurability(graph, { holdfast: first }).invoke(input, thread));

    const state = await withDurability(graph, { holdfast: await open() }).invoke(null, thread);
    expect(lastText(state)).toBe("done");
    expect(log).toEqual(["first", "second", "second"]);
    expect(model.asked).toHaveLength(3);
  });
});

describe("a thread whose checkpointer has lost what was there when its last run began", () => {
  test.each([
    ["the last of it", 2],
    ["all of it", 100],
  ])("(%s) is not gone on with: no call that is on record is made again", async (_, lost) => {
    const checkpointer = new MemorySaver();
    const thread = newThread();
    const earlier = handWritten({ model: new ScriptedChat([{ text: "earlier" }]), tools: [], checkpointer });
    await earlier.invoke(input, thread);
    const { log, model, reached, graph } = crashing(handWritten, checkpointer, [
      { text: "earlier" },
      ...turns,
    ]);
    const call = (hf: Holdfast) =>
      withDurability(graph, { holdfast: hf }).invoke(input, { ...thread, durability: "exit" });
    const first = await open();
    await dieIn(first, reached, () => call(first));

    forget(checkpointer, thread, lost);
    await expect(call(await open())).rejects.toThrow("(DIVERGED)");
    expect([log, model.asked.length]).toEqual([["first", "second"], 2]);
    const { status } = await here().runs.get(`${thread.configurable.thread_id}#1`);
    expect(status).toBe("waiting");
  });

  test("is not gone on with inside hf.run either", async () => {
    const checkpointer = new MemorySaver();
    const thread = newThread();
    const earlier = handWritten({ model: new ScriptedChat([{ text: "earlier" }]), tools: [], checkpointer });
    await earlier.invoke(input, thread);
    const { log, model, reached, graph } = crashing(handWritten, checkpointer, [
      { text: "earlier" },
      ...turns,
    ]);
    const app = withDurability(graph);
    const id = `run-${crypto.randomUUID()}`;
    const call = (hf: Holdfast) => hf.run(id, async () => lastText(await app.invoke(input, thread)));
    const first = await open();
    await dieIn(first, reached, () => call(first));

    forget(checkpointer, thread, 100);
    await expect(call(await open())).rejects.toThrow("(DIVERGED)");
    expect([log, model.asked.length]).toEqual([["first", "second"], 2]);
  });

  /** The last so many checkpoints of the thread. */
  function forget(
    { storage }: MemorySaver,
    { configurable }: ReturnType<typeof newThread>,
    count: number,
  ): void {
    const saved = storage[configurable.thread_id] ?? {};
    const ids = Object.keys(saved[""] ?? {})
      .toSorted()
      .toReversed();
    for (const id of ids.slice(0, count)) delete saved[""]?.[id];
    if (ids.length <= count) delete storage[configurable.thread_id];
  }
});

describe("a call on a thread", () => {
  const said = (...texts: string[]) => {
    const model = new ScriptedChat(texts.map((text) => ({ text })));
    return { model, graph: handWritten({ model, tools: [] }) };
  };

  test("with a new input is a run of its own", async () => {
    const thread = newThread();
    const app = withDurability(said("one", "two").graph, { holdfast: here() });
    await app.invoke(input, thread);
    expect(lastText(await app.invoke(input, thread))).toBe("two");
    const id = thread.configurable.thread_id;
    const runs = await here().runs.list({ tag: `thread:${id}` });
    expect(runs.map((run) => [run.id, run.status, run.agent])).toEqual([
      [`${id}#2`, "succeeded", "LangGraph"],
      [`${id}#1`, "succeeded", "LangGraph"],
    ]);
  });

  test("with another input is refused while the last run is not finished", async () => {
    const { graph, reached } = crashing(handWritten);
    const thread = newThread();
    const first = await open();
    await dieIn(first, reached, () => withDurability(graph, { holdfast: first }).invoke(input, thread));

    const other = { messages: [{ role: "user", content: "Something else." }] };
    const refused = withDurability(graph, { holdfast: await open() }).invoke(other, thread);
    await expect(refused).rejects.toThrow("(RUN_UNFINISHED)");
  });

  test("with another input cancels the last run, if told to, while that is not finished", async () => {
    const { graph, reached } = crashing(handWritten);
    const thread = newThread();
    const first = await open();
    await dieIn(first, reached, () => withDurability(graph, { holdfast: first }).invoke(input, thread));

    const holdfast = await open();
    const app = withDurability(said("one").graph, { holdfast, onUnfinished: "cancel" });
    const other = { messages: [{ role: "user", content: "Something else." }] };
    await app.invoke(other, thread).catch(() => {}); // the script has no turn for what is on the thread
    const id = thread.configurable.thread_id;
    expect((await holdfast.runs.get(`${id}#1`)).status).toBe("cancelled");
    expect((await holdfast.runs.get(`${id}#2`)).input).toMatchObject({ input: other });
  });

  test("knows an input again whose messages have got other ids", async () => {
    const { graph, reached, log } = crashing(handWritten);
    const thread = newThread();
    const first = await open();
    const asked = () => ({
      messages: input.messages.map((message) => ({ ...message, id: crypto.randomUUID() })),
    });
    await dieIn(first, reached, () => withDurability(graph, { holdfast: first }).invoke(asked(), thread));
    const state = await withDurability(graph, { holdfast: await open() }).invoke(asked(), thread);
    expect(lastText(state)).toBe("done");
    expect(log).toEqual(["first", "second", "second"]);
  });

  test("does not take a document for another by what they have in common: only messages get other ids", async () => {
    const State = Annotation.Root({ doc: Annotation<{ id: string; content: string }>() });
    const hung = Promise.withResolvers<void>();
    const hangs = async () => {
      hung.resolve();
      return await new Promise<never>(() => {});
    };
    const graph = new StateGraph(State).addNode("hangs", hangs).addEdge(START, "hangs").compile();
    const thread = newThread();
    const first = await open();
    const refund = (id: string) => ({ doc: { id, content: "refund" } });
    const asked = () => withDurability(graph, { holdfast: first }).invoke(refund("order-1"), thread);
    await dieIn(first, hung.promise, asked);
    const other = withDurability(graph, { holdfast: await open() }).invoke(refund("order-2"), thread);
    await expect(other).rejects.toThrow("(RUN_UNFINISHED)");
  });

  test("may be on a thread whose id is a number, as LangGraph's may", async () => {
    const app = withDurability(said("one").graph, { holdfast: here() });
    const state = await app.invoke(input, { configurable: { thread_id: 42 } } as never);
    expect(lastText(state)).toBe("one");
    expect((await here().runs.get("42#1")).status).toBe("succeeded");
  });

  test("without a thread is refused", async () => {
    const { graph } = said("one");
    await expect(withDurability(graph, { holdfast: here() }).invoke(input)).rejects.toThrow("thread_id");
  });

  test("that failed is tried again from its ledger by a call with nothing", async () => {
    const model = new ScriptedChat([turns[0] as Turn, { text: "done", fails: 1 }]);
    const log: string[] = [];
    const tools = [toolOf("first", () => log.push("first"))];
    const app = withDurability(handWritten({ model, tools }), { holdfast: here() });
    const thread = newThread();
    await expect(app.invoke(input, thread)).rejects.toThrow("busy");
    expect(lastText(await app.invoke(null, thread))).toBe("done");
    expect(log).toEqual(["first"]);
    expect(model.asked).toHaveLength(3);
    expect((await here().runs.get(`${thread.configurable.thread_id}#1`)).status).toBe("succeeded");
  });

  test("from a checkpoint of its past is a run of its own, whose calls are made", async () => {
    const { model, graph } = said("one", "two", "three");
    const app = withDurability(graph, { holdfast: here() });
    const thread = newThread();
    await app.invoke(input, thread);
    const past = [];
    for await (const state of app.getStateHistory(thread)) past.push(state);
    const before = past.find(({ next }) => next.includes("agent"));
    await app.invoke(null, before?.config as never);
    expect(model.asked).toHaveLength(2);
    const runs = await here().runs.list({ tag: `thread:${thread.configurable.thread_id}` });
    expect(runs.map(({ status }) => status)).toEqual(["succeeded", "succeeded"]);
  });

  test("with a command that answers nothing is a new one", async () => {
    const app = withDurability(said("one").graph, { holdfast: here() });
    const thread = newThread();
    const command = new Command({ update: { messages: input.messages }, goto: "agent" });
    expect(lastText(await app.invoke(command as never, thread))).toBe("one");
  });
});

describe("a durable graph in a node of a graph that is not", () => {
  const State = Annotation.Root({ n: Annotation<number>({ reducer: (a, b) => a + b, default: () => 0 }) });
  const single = (body: () => unknown) =>
    new StateGraph(State)
      .addNode("wire", async () => {
        await toolOf("wire", body).invoke({ n: 1 });
        return { n: 1 };
      })
      .addEdge(START, "wire")
      .compile();

  test("is in doubt after a crash, though the graph around it has saved nothing", async () => {
    const death = dying();
    let wires = 0;
    const graph = single(() => {
      wires++;
      return death.body();
    });
    const around = (hf: Holdfast) =>
      new StateGraph(State)
        .addNode("before", async () => ({ n: 1 }))
        .addNode("durable", withDurability(graph, { holdfast: hf }))
        .addEdge(START, "before")
        .addEdge("before", "durable")
        .compile({ checkpointer: new MemorySaver() });
    const thread = newThread();
    const first = await open();
    await dieIn(first, death.reached, () => around(first).invoke({ n: 1 }, thread));
    await expect(around(await open()).invoke({ n: 1 }, thread)).rejects.toThrow("(RUN_WAITING)");
    expect(wires).toBe(1);
  });

  test("is called as often as the node calls it, and in every step", async () => {
    let wires = 0;
    const durable = withDurability(
      single(() => ++wires),
      { holdfast: here() },
    );
    const twice = async (state: typeof State.State) => {
      await durable.invoke(state);
      await durable.invoke(state);
      return { n: 1 };
    };
    const graph = new StateGraph(State)
      .addNode("twice", twice)
      .addEdge(START, "twice")
      .addConditionalEdges("twice", ({ n }) => (n < 3 ? "twice" : END))
      .compile({ checkpointer: new MemorySaver() });
    await graph.invoke({ n: 1 }, newThread());
    expect(wires).toBe(4);
  });

  test("is refused one graph further in, where nothing tells its calls apart", async () => {
    const inner = new StateGraph(State)
      .addNode(
        "durable",
        withDurability(
          single(() => 1),
          { holdfast: here() },
        ),
      )
      .addEdge(START, "durable")
      .compile();
    const outer = new StateGraph(State).addNode("inner", inner).addEdge(START, "inner");
    const graph = outer.compile({ checkpointer: new MemorySaver() });
    await expect(graph.invoke({ n: 1 }, newThread())).rejects.toThrow("make the graph around it durable");
  });
});
