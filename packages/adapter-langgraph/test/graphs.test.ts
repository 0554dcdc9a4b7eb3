import { AIMessage, type BaseMessage, HumanMessage, type ToolMessage } from "@langchain/core/messages";
import {
  Annotation,
  Command,
  entrypoint,
  interrupt,
  MemorySaver,
  MessagesAnnotation,
  Send,
  START,
  StateGraph,
  task,
} from "@langchain/langgraph";
import { RemoteGraph } from "@langchain/langgraph/remote";
import { createAgent } from "langchain";
import { describe, expect, test } from "vitest";
import { HoldfastSaver, withDurability } from "../src/index.ts";
import { type CompiledMessagesGraph, handWritten, idioms, lastText, textOf, toolOf } from "./graphs.ts";
import { ScriptedChat, type Turn } from "./scripted-chat.ts";
import { dieIn, dying, newThread, workbench } from "./workbench.ts";

const { here, open } = workbench({ tools: { "*": { effect: "idempotent" }, charge: { effect: "once" } } });
const input = { messages: [{ role: "user", content: "Go." }] };
const says = (...texts: string[]) => new ScriptedChat(texts.map((text) => ({ text })));

describe("a durable app", () => {
  test("is of the class of the app that it was made of, which stays as it was", () => {
    const graph = handWritten({ model: says("one"), tools: [] });
    const app = withDurability(graph, { holdfast: here() });
    expect(app).toBeInstanceOf(graph.constructor);
    expect(app.constructor.name).toBe("CompiledStateGraph");
    expect(app.builder).toBe(graph.builder);
    expect(app.checkpointer).toBeInstanceOf(HoldfastSaver);
    expect(graph.checkpointer).toBeUndefined();
  });

  test("keeps a checkpointer of its own", () => {
    const checkpointer = new MemorySaver();
    const app = withDurability(handWritten({ model: says("one"), tools: [], checkpointer }), {
      holdfast: here(),
    });
    expect(app.checkpointer).toBe(checkpointer);
  });

  test.each(Object.entries(idioms))("is durable when it was configured further: %s", async (_, make) => {
    const model = says("one");
    const thread = newThread();
    const app = withDurability(make({ model, tools: [toolOf("look", () => 1)] }), { holdfast: here() });
    if (!app.withConfig) return; // createAgent in langchain 1.0
    const configured = app.withConfig({ ...thread, tags: ["a"] }) as typeof app;
    expect(lastText(await configured.invoke(input))).toBe("one");
    expect((await here().runs.get(`${thread.configurable.thread_id}#1`)).status).toBe("succeeded");
  });

  test("is not made of a graph that runs elsewhere, nor of what is no graph", () => {
    expect(() => withDurability(new RemoteGraph({ graphId: "agent", url: "http://127.0.0.1:1" }))).toThrow(
      "RemoteGraph",
    );
    expect(() => withDurability({})).toThrow("compiled graph");
  });

  test("gives and takes state as LangGraph does", async () => {
    const app = withDurability(handWritten({ model: says("one", "two"), tools: [] }), { holdfast: here() });
    const thread = newThread();
    await app.invoke(input, thread);
    expect((await app.getState(thread)).values.messages).toHaveLength(2);
    await app.updateState(thread, { messages: [new HumanMessage("by hand")] });
    expect((await app.getState(thread)).values.messages).toHaveLength(3);
    const history = [];
    for await (const state of app.getStateHistory(thread)) history.push(state.metadata?.source);
    expect(history).toEqual(["update", "loop", "loop", "input"]);
  });

  test.each(["values", "updates", "debug", "messages", "custom", "tasks", "checkpoints"] as const)(
    "streams %s as LangGraph does",
    async (streamMode) => {
      const graph = handWritten({ model: says("hello there"), tools: [], checkpointer: new MemorySaver() });
      const chunks = async (app: CompiledMessagesGraph) => {
        const seen: unknown[] = [];
        for await (const chunk of await app.stream(input, { ...newThread(), streamMode })) seen.push(chunk);
        return seen.length;
      };
      expect(await chunks(withDurability(graph, { holdfast: here() }))).toBe(await chunks(graph));
    },
  );

  test("streams events", async () => {
    const app = withDurability(handWritten({ model: says("hello there"), tools: [] }), { holdfast: here() });
    let text = "";
    for await (const { event, data } of app.streamEvents(input, { ...newThread(), version: "v2" })) {
      if (event === "on_chat_model_stream") text += textOf(data.chunk);
    }
    expect(text).toBe("hello there");
  });

  test("answers a batch with a run for each", async () => {
    const app = withDurability(handWritten({ model: says("one"), tools: [] }), { holdfast: here() });
    const threads = [newThread(), newThread()];
    const states = await app.batch([input, input], threads as never);
    expect(states.map(lastText)).toEqual(["one", "one"]);
  });

  test("streams a recorded answer again", async () => {
    const turns: Turn[] = [{ text: "One moment.", calls: [{ name: "look", input: {} }] }, { text: "done" }];
    const model = new ScriptedChat(turns);
    const death = dying();
    const graph = handWritten({ model, tools: [toolOf("look", death.body)] });
    const first = await open();
    const read = async (app: CompiledMessagesGraph) => {
      let text = "";
      const chunks = await app.stream(input, { configurable: {}, streamMode: "messages" });
      for await (const [message] of chunks)
        if (message.getType() === "ai") text += textOf(message as BaseMessage);
      return text;
    };
    const id = `run-${crypto.randomUUID()}`;
    await dieIn(first, death.reached, () =>
      first.run(id, () => read(withDurability(graph, { holdfast: first }))),
    );
    expect(await here().run(id, () => read(withDurability(graph, { holdfast: here() })))).toBe(
      "One moment.done",
    );
    expect(model.asked).toHaveLength(2);
  });
});

describe("a node that LangGraph tries again", () => {
  test("asks anew only what came after its last effect", async () => {
    const log: string[] = [];
    const model = new ScriptedChat([
      { calls: [{ name: "charge", input: { cents: 5 } }] },
      { text: "nonsense" },
    ]);
    const charge = toolOf("charge", () => log.push("charge"));
    let tries = 0;
    const graph = new StateGraph(MessagesAnnotation)
      .addNode(
        "work",
        async ({ messages }) => {
          const asks = (await model.invoke(messages)) as AIMessage;
          const [call] = asks.tool_calls ?? [];
          const charged = (await charge.invoke({ ...call, type: "tool_call" } as never)) as ToolMessage;
          const said = await model.invoke([...messages, asks, charged]);
          if (++tries < 3) throw new Error("cannot use that");
          return { messages: [asks, charged, said] };
        },
        { retryPolicy: { maxAttempts: 3, initialInterval: 1, jitter: false, logWarning: false } },
      )
      .addEdge(START, "work")
      .compile();
    const app = withDurability(graph, { holdfast: here() });
    expect(lastText(await app.invoke(input, newThread()))).toBe("nonsense");
    expect(log).toEqual(["charge"]);
    expect(model.asked).toHaveLength(4); // the plan once, what was said of it three times
  });
});

describe("the functional API", () => {
  test("keeps its tasks apart, and tries one again from its own record", async () => {
    const log: string[] = [];
    const model = says("hello");
    const death = dying();
    const charge = toolOf("charge", () => log.push("charge"));
    const wait = toolOf("wait", death.body);
    let tries = 0;
    const flaky = task(
      { name: "flaky", retry: { maxAttempts: 2, initialInterval: 1, jitter: false, logWarning: false } },
      async (n: number) => {
        await charge.invoke({ n });
        if (++tries === 1) throw new Error("not yet");
        return (await model.invoke(`say ${n}`)).text;
      },
    );
    const flow = entrypoint({ name: "flow" }, async (n: number) => {
      const texts = await Promise.all([flaky(n), flaky(n + 1)]);
      await wait.invoke({});
      return texts.join();
    });
    const thread = newThread();
    const first = await open();
    await dieIn(first, death.reached, () =>
      withDurability(flow, { holdfast: first }).invoke(1 as never, thread),
    );
    expect(await withDurability(flow, { holdfast: here() }).invoke(null as never, thread)).toBe(
      "hello,hello",
    );
    expect(log).toHaveLength(2);
    expect(model.asked).toHaveLength(2);
  });
});

describe("a subgraph", () => {
  const inner = (model: ScriptedChat, look: ReturnType<typeof toolOf>) =>
    new StateGraph(MessagesAnnotation)
      .addNode("say", async ({ messages }) => ({ messages: [await model.invoke(messages)] }))
      .addNode("look", async () => ({ messages: [new AIMessage(JSON.stringify(await look.invoke({})))] }))
      .addEdge(START, "say")
      .addEdge("say", "look")
      .compile();

  const around: [string, (sub: ReturnType<typeof inner>) => CompiledMessagesGraph][] = [
    [
      "as a node",
      (sub) =>
        new StateGraph(MessagesAnnotation).addNode("sub", sub).addEdge(START, "sub").compile() as never,
    ],
    [
      "called from a node",
      (sub) =>
        new StateGraph(MessagesAnnotation)
          .addNode("sub", async (state) => await sub.invoke(state))
          .addEdge(START, "sub")
          .compile() as never,
    ],
    [
      "that is durable itself",
      (sub) =>
        new StateGraph(MessagesAnnotation)
          .addNode("sub", withDurability(sub, { holdfast: here() }))
          .addEdge(START, "sub")
          .compile() as never,
    ],
  ];
  test.each(around)("%s goes on in the middle", async (_, wrap) => {
    const model = says("hello");
    const death = dying();
    const look = toolOf("look", death.body);
    const thread = newThread();
    const first = await open();
    await dieIn(first, death.reached, () =>
      withDurability(wrap(inner(model, look)), { holdfast: first }).invoke(input, thread),
    );
    await withDurability(wrap(inner(model, look)), { holdfast: here() }).invoke(null, thread);
    expect(model.asked).toHaveLength(1);
    expect(death.calls()).toBe(2);
  });

  test("that is durable, in a graph that is not, is a run of its own", async () => {
    const model = says("hello");
    const death = dying();
    const look = toolOf("look", death.body);
    const checkpointer = new MemorySaver();
    const wrap = (holdfast: ReturnType<typeof here>) =>
      new StateGraph(MessagesAnnotation)
        .addNode("sub", withDurability(inner(model, look), { holdfast }))
        .addEdge(START, "sub")
        .compile({ checkpointer });
    const thread = { ...newThread(), durability: "sync" as const };
    const first = await open();
    await dieIn(first, death.reached, () => wrap(first).invoke(input, thread));
    await wrap(here()).invoke(null, thread);
    expect(model.asked).toHaveLength(1);
    expect(death.calls()).toBe(2);
  });

  test("runs side by side, for each of what is sent to it, with its own record", async () => {
    const State = Annotation.Root({
      names: Annotation<string[]>,
      said: Annotation<string[]>({ reducer: (a, b) => [...a, ...b], default: () => [] }),
    });
    const model = new ScriptedChat([{ text: "hello" }]);
    const death = dying();
    const look = toolOf("look", death.body);
    const graph = new StateGraph(State)
      .addNode("greet", async ({ name }: { name: string }) => {
        const said = `${(await model.invoke(`greet ${name}`)).text} ${name}`;
        if (name === "bob") await look.invoke({ name });
        return { said: [said] };
      })
      .addConditionalEdges(START, ({ names }) => names.map((name) => new Send("greet", { name })))
      .compile();
    const thread = newThread();
    const first = await open();
    const names = { names: ["ana", "bob", "eve"] };
    await dieIn(first, death.reached, () => withDurability(graph, { holdfast: first }).invoke(names, thread));
    const { said } = await withDurability(graph, { holdfast: here() }).invoke(null, thread);
    expect(said.toSorted()).toEqual(["hello ana", "hello bob", "hello eve"]);
    expect(model.asked).toHaveLength(3);
  });
});

describe("the user's own interrupt()", () => {
  const asking = (log: string[]) => {
    const model = new ScriptedChat([
      {
        calls: [
          { name: "charge", input: { cents: 5 } },
          { name: "confirm", input: {} },
        ],
      },
      { text: "done" },
    ]);
    const tools = [
      toolOf("charge", () => log.push("charge")),
      toolOf("confirm", () => {
        log.push("confirm");
        return { approved: interrupt("May I?") };
      }),
    ];
    return { model, tools };
  };

  test.each(Object.entries(idioms))("stops %s, and a command goes on with the same run", async (_, make) => {
    const log: string[] = [];
    const { model, tools } = asking(log);
    const thread = newThread();
    const app = withDurability(make({ model, tools }), { holdfast: here() });
    const stopped = (await app.invoke(input, thread)) as { __interrupt__?: { value: unknown }[] };
    expect(stopped.__interrupt__?.map(({ value }) => value)).toEqual(["May I?"]);
    const id = `${thread.configurable.thread_id}#1`;
    expect(await here().runs.get(id)).toMatchObject({ status: "waiting", waitingOn: "caller" });

    const elsewhere = withDurability(make({ model, tools }), { holdfast: await open() });
    const state = await elsewhere.invoke(new Command({ resume: "yes" }) as never, thread);
    expect(lastText(state)).toBe("done");
    expect(state.messages.map(textOf)).toContain('{"approved":"yes"}');
    expect(log).toEqual(["charge", "confirm", "confirm"]);
    expect(model.asked).toHaveLength(2);
    expect((await here().runs.get(id)).status).toBe("succeeded");
  });

  test("lets the state be changed meanwhile, and no tool is called again for it", async () => {
    const log: string[] = [];
    const { model, tools } = asking(log);
    const thread = newThread();
    const app = withDurability(handWritten({ model, tools }), { holdfast: here() });
    await app.invoke(input, thread);
    await app.updateState(thread, { messages: [] }, "agent");
    const again = (await app.invoke(null, thread)) as { __interrupt__?: unknown[] };
    expect(again.__interrupt__).toHaveLength(1);
    expect(lastText(await app.invoke(new Command({ resume: "yes" }) as never, thread))).toBe("done");
    expect(log.filter((name) => name === "charge")).toEqual(["charge"]);
  });
});

describe("createAgent", () => {
  test("keeps middleware, which is called for each execution", async () => {
    const log: string[] = [];
    const model = new ScriptedChat([{ calls: [{ name: "charge", input: {} }] }, { text: "done" }]);
    const middleware = { name: "told", beforeModel: () => void log.push("before") };
    const agent = createAgent({
      model,
      tools: [toolOf("charge", () => log.push("charge"))],
      middleware: [middleware],
    });
    const app = withDurability(agent as CompiledMessagesGraph, { holdfast: here() });
    expect(lastText(await app.invoke(input, newThread()))).toBe("done");
    expect(log).toEqual(["before", "charge", "before"]);
  });
});
