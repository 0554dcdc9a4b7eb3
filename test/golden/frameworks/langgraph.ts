import { withDurability } from "@holdfast/langgraph";
import { type BaseMessage, HumanMessage, SystemMessage } from "@langchain/core/messages";
import { tool } from "@langchain/core/tools";
import { END, MessagesAnnotation, START, StateGraph } from "@langchain/langgraph";
import { ToolNode } from "@langchain/langgraph/prebuilt";
import { ChatOpenAI } from "@langchain/openai";
import { type Build, PROMPT, type Scene } from "./scenes.ts";

const schema = { type: "object", properties: {}, additionalProperties: true } as const;
const textOf = (message: BaseMessage | undefined) => message?.text ?? "";

/** The second agent is a subgraph behind the first. */
export const build: Build = (name, scene, baseURL) => {
  function graphOf(model: string, { tools = {}, inner }: Scene) {
    const own = Object.entries(tools).map(([called, does]) =>
      tool(async (input) => JSON.stringify(await does(input as never)), {
        name: called,
        description: called,
        schema,
      }),
    );
    const ask = inner && answererOf(`${model}-inner`, inner);
    const research = tool(async (asked) => await ask?.((asked as { input: string }).input), {
      name: "research",
      description: "research",
      schema,
    });
    const all = inner ? [...own, research] : own;
    const chat = new ChatOpenAI({ model, apiKey: "none", maxRetries: 0, configuration: { baseURL } });
    const bound = all.length > 0 ? chat.bindTools(all) : chat;
    const asks = ({ messages }: { messages: BaseMessage[] }) =>
      (messages.at(-1) as { tool_calls?: unknown[] }).tool_calls?.length ? "tools" : END;
    return new StateGraph(MessagesAnnotation)
      .addNode("agent", async ({ messages }) => ({
        messages: [await bound.invoke([new SystemMessage(PROMPT), ...messages])],
      }))
      .addNode("tools", new ToolNode(all))
      .addEdge(START, "agent")
      .addConditionalEdges("agent", asks, ["tools", END])
      .addEdge("tools", "agent")
      .compile();
  }

  function answererOf(model: string, scene: Scene): (input: string) => Promise<string> {
    const graph = graphOf(model, scene);
    return async (input) =>
      textOf((await graph.invoke({ messages: [new HumanMessage(input)] })).messages.at(-1));
  }

  const first = graphOf(name, scene);
  const { then } = scene;
  const both = (second: typeof first) =>
    new StateGraph(MessagesAnnotation)
      .addNode("first", first)
      .addNode("second", second)
      .addEdge(START, "first")
      .addEdge("first", "second")
      .addEdge("second", END)
      .compile();
  const invoked = then ? withDurability(both(graphOf(`${name}-then`, then))) : withDurability(first);
  return async ({ who }) => {
    const input = { messages: [new HumanMessage(`I am ${who}.`)] };
    const config = { configurable: { thread_id: "golden" } };
    if (!scene.streams) return textOf((await invoked.invoke(input, config)).messages.at(-1));
    let text = "";
    for await (const [message] of await invoked.stream(input, { ...config, streamMode: "messages" }))
      if (message.getType() === "ai") text += textOf(message);
    return text;
  };
};
