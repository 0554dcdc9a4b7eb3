import { AIMessage, type BaseMessage, HumanMessage, ToolMessage } from "@langchain/core/messages";
import { RunnableLambda, RunnableSequence } from "@langchain/core/runnables";
import { tool } from "@langchain/core/tools";
import { Command, MessagesAnnotation, START, StateGraph } from "@langchain/langgraph";
import { ToolNode } from "@langchain/langgraph/prebuilt";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { withDurability } from "../src/index.ts";
import { textOf, toolOf } from "./graphs.ts";
import { ScriptedChat } from "./scripted-chat.ts";
import { newThread, workbench } from "./workbench.ts";

const { here, open } = workbench({ tools: { "*": { effect: "read" } } });

/** A graph of one node that does this, and whose first execution is gone once it has. */
async function twice(work: () => Promise<string>): Promise<string[]> {
  const reached = Promise.withResolvers<void>();
  const seen: string[] = [];
  let executions = 0;
  const graph = new StateGraph(MessagesAnnotation)
    .addNode("work", async () => {
      seen.push(await work());
      if (++executions > 1) return { messages: [new AIMessage("done")] };
      reached.resolve();
      return await new Promise<never>(() => {});
    })
    .addEdge(START, "work")
    .compile();
  const thread = newThread();
  const first = await open();
  const dying = withDurability(graph, { holdfast: first }).invoke({ messages: [] }, thread);
  dying.catch(() => {});
  await reached.promise;
  // What is on its way to the ledger lands.
  await first.close();
  await withDurability(graph, { holdfast: here() }).invoke(null, thread);
  return seen;
}

const model = (...texts: string[]) => new ScriptedChat(texts.map((text) => ({ text })));
const calls = (name: string, input: object, id: string = crypto.randomUUID()) => ({
  type: "tool_call" as const,
  id,
  name,
  args: input as Record<string, unknown>,
});

describe("a model call is held", () => {
  const ways: [string, (model: ScriptedChat) => Promise<string>][] = [
    ["by invoke", async (llm) => (await llm.invoke("hello")).text],
    [
      "by a bound model",
      async (llm) => textOf((await (llm.bindTools([]) as ScriptedChat).invoke("hello")) as BaseMessage),
    ],
    [
      "by withConfig",
      async (llm) => textOf((await llm.withConfig({ tags: ["a"] }).invoke("hello")) as BaseMessage),
    ],
    ["by withRetry", async (llm) => textOf((await llm.withRetry().invoke("hello")) as BaseMessage)],
    [
      "by pipe",
      async (llm) => await llm.pipe(RunnableLambda.from((said: BaseMessage) => textOf(said))).invoke("hello"),
    ],
    [
      "by structured output",
      async (llm) =>
        JSON.stringify(
          await (llm.withStructuredOutput() as unknown as { invoke(x: string): Promise<unknown> }).invoke(
            "hello",
          ),
        ),
    ],
    [
      "by stream",
      async (llm) => {
        let text = "";
        for await (const chunk of await llm.stream("hello")) text += textOf(chunk);
        return text;
      },
    ],
    [
      "by generate",
      async (llm) => (await llm.generate([[new HumanMessage("hello")]])).generations[0]?.[0]?.text ?? "",
    ],
  ];
  test.each(ways)("%s", async (_, ask) => {
    const llm = model('{"says":"hello there"}');
    const [first, again] = await twice(() => ask(llm));
    expect(first).toContain("hello there");
    expect(again).toBe(first);
    expect(llm.asked).toHaveLength(1);
  });

  test("once for each of a batch, and of calls that ask the same at once", async () => {
    const llm = model("one");
    const seen = await twice(async () => {
      const batch = await llm.batch(["a", "b"]);
      const same = await Promise.all([llm.invoke("c"), llm.invoke("c")]);
      return [...batch, ...same].map((said) => textOf(said)).join();
    });
    expect(seen).toEqual(["one,one,one,one", "one,one,one,one"]);
    expect(llm.asked).toHaveLength(4);
  });

  test("whatever a cache of LangChain holds", async () => {
    const llm = model("one");
    llm.cache = {
      lookup: async () => [{ text: "cached", message: new AIMessage("cached") }],
      update: async () => {},
    } as never;
    expect(await twice(async () => (await llm.invoke("hello")).text)).toEqual(["one", "one"]);
    expect(llm.asked).toHaveLength(1);
  });

  test("with what it used, its tool calls, and an id that no execution changes", async () => {
    const llm = new ScriptedChat([{ calls: [{ name: "pay", input: { to: "ana" }, id: "call_1" }] }]);
    const ids: (string | undefined)[] = [];
    await twice(async () => {
      const said = (await llm.invoke("hello")) as AIMessage;
      ids.push(said.id);
      return JSON.stringify([said.tool_calls, said.usage_metadata]);
    }).then(([first, again]) => expect(again).toBe(first));
    expect(ids[0]).toBe(ids[1]);
    const [run] = await here().runs.list({ limit: 1 });
    const answer = (await here().entries(run?.id ?? "")).find(
      (entry) => entry.kind === "observation" && entry.call === "model",
    );
    expect(answer).toMatchObject({
      usage: { inputTokens: 100, outputTokens: 20, cachedInputTokens: 40 },
      asks: [{ id: "call_1", name: "pay" }],
    });
  });

  test("that streams once and is asked whole the next time, or the other way round", async () => {
    const llm = model("hello there");
    let times = 0;
    const seen = await twice(async () => {
      if (times++ === 0) return (await llm.invoke("hello")).text;
      let text = "";
      for await (const chunk of await llm.stream("hello")) text += textOf(chunk);
      return text;
    });
    expect(seen).toEqual(["hello there", "hello there"]);
    expect(llm.asked).toHaveLength(1);
  });

  test("to its end where its reader goes away", async () => {
    const llm = model("one two three");
    const seen = await twice(async () => {
      for await (const chunk of await llm.stream("hello")) return textOf(chunk);
      return "";
    });
    expect(seen).toEqual(["one ", "one two three"]);
    expect(llm.asked).toHaveLength(1);
  });
});

describe("a tool call is held", () => {
  /** Tools of every kind: what each is called with, and gives. */
  const counted = (does: (input: { n: number }) => unknown) => {
    const log: unknown[] = [];
    return {
      log,
      does: (input: { n: number }) => {
        log.push(input);
        return does(input);
      },
    };
  };
  const schema = z.object({ n: z.coerce.number() });
  const say = (value: unknown) => JSON.stringify(value);

  test("called with its arguments, and with a tool call", async () => {
    const { log, does } = counted(({ n }) => `n is ${n}`);
    const look = tool(does, { name: "look", description: "look", schema });
    const call = calls("look", { n: 2 });
    const seen = await twice(async () =>
      say([await look.invoke({ n: 1 }), (await look.invoke(call)).content]),
    );
    expect(seen).toEqual([say(["n is 1", "n is 2"]), say(["n is 1", "n is 2"])]);
    expect(log).toEqual([{ n: 1 }, { n: 2 }]);
  });

  test("that gives content and an artifact", async () => {
    const { log, does } = counted(({ n }) => ["content", { n, at: new Date(0) }]);
    const look = tool(does as never, {
      name: "look",
      description: "look",
      schema,
      responseFormat: "content_and_artifact",
    });
    const call = calls("look", { n: 2 });
    const artifacts: unknown[] = [];
    await twice(async () => {
      const message = (await look.invoke(call)) as ToolMessage;
      artifacts.push(message.artifact);
      return textOf(message);
    });
    expect(artifacts).toEqual([
      { n: 2, at: new Date(0) },
      { n: 2, at: new Date(0) },
    ]);
    expect(log).toHaveLength(1);
  });

  test("that gives a Command, or a message", async () => {
    const { log, does } = counted(({ n }) =>
      n === 1
        ? new Command({ update: { messages: [new ToolMessage("moved", "call_1")] }, goto: "work" })
        : new ToolMessage({ content: "told", tool_call_id: "call_2" }),
    );
    const move = tool(does as never, { name: "move", description: "move", schema });
    const kinds: unknown[] = [];
    await twice(async () => {
      const command = (await move.invoke(calls("move", { n: 1 }, "call_1"))) as unknown as Command;
      const message = (await move.invoke(calls("move", { n: 2 }, "call_2"))) as ToolMessage;
      const update = command.update as { messages: ToolMessage[] };
      kinds.push([
        command instanceof Command,
        command.goto,
        update.messages[0]?.text,
        message instanceof ToolMessage,
      ]);
      return message.text;
    });
    expect(kinds).toEqual([
      [true, ["work"], "moved", true],
      [true, ["work"], "moved", true],
    ]);
    expect(log).toHaveLength(2);
  });

  test("that is a runnable", async () => {
    const { log, does } = counted(({ n }) => `n is ${n}`);
    const look = RunnableLambda.from(does).asTool({
      name: "look",
      description: "look",
      schema: schema as never,
    });
    expect(await twice(async () => say(await look.invoke({ n: 1 })))).toEqual(['"n is 1"', '"n is 1"']);
    expect(log).toHaveLength(1);
  });

  test("that yields on its way", async () => {
    const log: number[] = [];
    const look = tool(
      async function* ({ n }: { n: number }) {
        log.push(n);
        yield "on the way";
        return `n is ${n}`;
      } as never,
      { name: "look", description: "look", schema },
    );
    const seen = await twice(async () => say(await look.invoke({ n: 1 })));
    expect(seen[1]).toBe(seen[0]);
    expect(log).toEqual([1]);
  });

  test("by the arguments that it was given, before its schema made anything of them", async () => {
    const { log, does } = counted(({ n }) => String(n));
    const look = tool(does, { name: "look", description: "look", schema });
    await twice(async () => say(await look.invoke({ n: "7" } as never)));
    expect(log).toEqual([{ n: 7 }]);
    const [run] = await here().runs.list({ limit: 1 });
    const intent = (await here().entries(run?.id ?? "")).find(({ kind }) => kind === "intent");
    expect(intent).toMatchObject({ name: "look", input: { n: "7" } });
  });

  test("and what it calls in its turn is in its lane", async () => {
    const llm = model("inner");
    const outer = toolOf("outer", async () => (await llm.invoke("hello")).text);
    await twice(async () => String(await outer.invoke({})));
    const [run] = await here().runs.list({ limit: 1 });
    const steps = (await here().entries(run?.id ?? "")).flatMap((entry) =>
      "step" in entry ? [entry.step] : [],
    );
    expect(steps).toContain("work(1).0/outer#0/model#0");
  });
});

describe("a tool node", () => {
  test("shows a model the error of a tool, also from the record", async () => {
    const log: string[] = [];
    const fails = toolOf("fails", () => {
      log.push("fails");
      throw new Error("no stock");
    });
    const node = new ToolNode([fails]);
    const asks = new AIMessage({ content: "", tool_calls: [calls("fails", {})] });
    const seen = await twice(async () => textOf((await node.invoke([asks]))[0]));
    expect(seen[0]).toContain("no stock");
    expect(seen[1]).toBe(seen[0]);
    expect(log).toHaveLength(1);
  });
});

test("a durable graph in a sequence is durable", async () => {
  const llm = model("hello there");
  const graph = new StateGraph(MessagesAnnotation)
    .addNode("say", async ({ messages }) => ({ messages: [await llm.invoke(messages)] }))
    .addEdge(START, "say")
    .compile();
  const app = withDurability(graph, { holdfast: here() });
  const sequence = RunnableSequence.from([
    (text: string) => ({ messages: [new HumanMessage(text)] }),
    app,
    ({ messages }: { messages: BaseMessage[] }) => textOf(messages.at(-1)),
  ]);
  const thread = newThread();
  expect(await sequence.invoke("hi", thread)).toBe("hello there");
  expect((await here().runs.get(`${thread.configurable.thread_id}#1`)).status).toBe("succeeded");
});
