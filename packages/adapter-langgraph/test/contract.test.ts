import { adapterContract, type ContractAgent, type ContractBench } from "@holdfast/core/testing";
import { HumanMessage, SystemMessage } from "@langchain/core/messages";
import { MemorySaver } from "@langchain/langgraph";
import { freshDatabase } from "../../../test/fresh-database.ts";
import { requestInput, withDurability } from "../src/index.ts";
import {
  type CompiledMessagesGraph,
  handWritten,
  idioms,
  lastText,
  type Parts,
  textOf,
  toolOf,
} from "./graphs.ts";
import { ScriptedChat } from "./scripted-chat.ts";
import { version } from "./version.ts";

const withOwn = "StateGraph with a checkpointer of its own";
const agents: typeof idioms = {
  ...idioms,
  [withOwn]: (parts) => handWritten({ ...parts, checkpointer: new MemorySaver() }),
};
const FORKED = "a fork at every entry repeats no call and no effect, or says why there can be none";
const why = "each fork would go on with the conversation that the one before has left on the thread";

/** LangGraph's own ToolNode; that of createAgent is another one. */
const skip = {
  "a tool call id that a later turn uses again is another call":
    "LangGraph's ToolNode passes over a call whose id has a result already",
};

for (const [name, make] of Object.entries(agents)) {
  adapterContract(`${version}, ${name}`, {
    database: freshDatabase,
    bench: async () => benchOf(make),
    skip: { ...(name === "createAgent" ? {} : skip), ...(name === withOwn ? { [FORKED]: why } : {}) },
  });
}

function benchOf(make: (parts: Parts) => CompiledMessagesGraph): ContractBench {
  return {
    agent({ turns, tools, requestInput: asking, prompt = "Go.", system }: ContractAgent) {
      const model = new ScriptedChat(turns);
      const held = [
        ...Object.entries(tools).map(([name, does]) => toolOf(name, does)),
        ...(asking ? [requestInput(asking)] : []),
      ];
      const app = withDurability(make({ model, tools: held }));
      const configurable = { thread_id: crypto.randomUUID() };
      const messages = [
        ...(system === undefined ? [] : [new SystemMessage(system)]),
        new HumanMessage(prompt),
      ];
      const input = { messages };
      return {
        run: async () => lastText(await app.invoke(input, { configurable })),
        stream: async () => {
          let text = "";
          const chunks = await app.stream(input, { configurable, streamMode: "messages" });
          for await (const [message] of chunks) if (message.getType() === "ai") text += textOf(message);
          return text;
        },
        asked: () => model.asked.length,
        model,
        heard: () => JSON.stringify(model.asked.at(-1)),
      };
    },
  };
}
