import { AIMessage, HumanMessage, ToolMessage } from "@langchain/core/messages";
import { type BaseCheckpointSaver, END, MessagesAnnotation, START, StateGraph } from "@langchain/langgraph";

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
