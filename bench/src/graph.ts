import { BaseChatModel } from "@langchain/core/language_models/chat_models";
import { AIMessage, type BaseMessage, HumanMessage, ToolMessage } from "@langchain/core/messages";
import type { ChatResult } from "@langchain/core/outputs";
import { tool } from "@langchain/core/tools";
import { type BaseCheckpointSaver, END, MessagesAnnotation, START, StateGraph } from "@langchain/langgraph";
import { ToolNode } from "@langchain/langgraph/prebuilt";

interface Saver extends BaseCheckpointSaver {
  setup(): Promise<void>;
  end(): Promise<void>;
}

const config = (steps: number) =>
  ({ configurable: { thread_id: "t" }, recursionLimit: steps + 10, durability: "sync" }) as const;

/** The agent of ./agent.ts as a graph: turns of a model and a tool, on a model in this process. */
export async function graphOn(saver: Saver, output: () => string) {
  await saver.setup();
  return {
    close: () => saver.end(),
    agent: async (turns: number) => {
      const graph = new StateGraph(MessagesAnnotation)
        .addNode("model", ({ messages }) => {
          const turn = (messages.length - 1) / 2;
          const tool_calls = turn < turns ? [{ name: "look", args: { turn }, id: `call-${turn}` }] : [];
          return { messages: [new AIMessage({ id: `answer-${turn}`, content: "", tool_calls })] };
        })
        .addNode("tools", ({ messages }) => {
          const turn = messages.length / 2 - 1;
          return {
            messages: [
              new ToolMessage({
                id: `result-${turn}`,
                name: "look",
                tool_call_id: `call-${turn}`,
                content: output(),
              }),
            ],
          };
        })
        .addEdge(START, "model")
        .addConditionalEdges("model", ({ messages }) => (messages.length < 2 * turns + 1 ? "tools" : END))
        .addEdge("tools", "model");
      await graph
        .compile({ checkpointer: saver })
        .invoke({ messages: [new HumanMessage("go")] }, config(2 * turns + 1));
    },
  };
}

/** An agent of so many turns whose model and tool are LangChain's own. It has no checkpointer. */
export function chatGraph(turns: number, output: () => string) {
  const model = new BenchChat(turns);
  const look = tool(({ turn }) => ({ turn, text: output() }), {
    name: "look",
    description: "looks",
    schema: { type: "object", properties: { turn: { type: "number" } } } as const,
  });
  return new StateGraph(MessagesAnnotation)
    .addNode("model", async ({ messages }) => ({ messages: [await model.invoke(messages)] }))
    .addNode("tools", new ToolNode([look]))
    .addEdge(START, "model")
    .addConditionalEdges("model", ({ messages }) => (messages.length < 2 * turns + 1 ? "tools" : END))
    .addEdge("tools", "model")
    .compile();
}

/** A model in this process. */
class BenchChat extends BaseChatModel {
  readonly #turns: number;

  constructor(turns: number) {
    super({});
    this.#turns = turns;
  }

  override _llmType(): string {
    return "bench";
  }

  override async _generate(messages: BaseMessage[]): Promise<ChatResult> {
    const turn = (messages.length - 1) / 2;
    const tool_calls = turn < this.#turns ? [{ name: "look", args: { turn }, id: `call-${turn}` }] : [];
    const usage_metadata = { input_tokens: 10, output_tokens: 10, total_tokens: 20 };
    const message = Object.assign(new AIMessage({ content: "", tool_calls }), { usage_metadata });
    return { generations: [{ text: "", message }] };
  }
}

/** So many super-steps, each with one message. */
export async function stepsOn(saver: Saver, text: () => string) {
  await saver.setup();
  return {
    close: () => saver.end(),
    agent: async (steps: number) => {
      const graph = new StateGraph(MessagesAnnotation)
        .addNode("say", () => ({ messages: [new AIMessage(text())] }))
        .addEdge(START, "say")
        .addConditionalEdges("say", ({ messages }) => (messages.length > steps ? END : "say"));
      await graph
        .compile({ checkpointer: saver })
        .invoke({ messages: [new HumanMessage("go")] }, config(steps));
    },
  };
}
