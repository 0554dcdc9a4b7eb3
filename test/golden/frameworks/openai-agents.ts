import { withDurability } from "@holdfast/openai-agents";
import { Agent, OpenAIProvider, Runner, tool } from "@openai/agents";
import { type Build, PROMPT, type Scene } from "./scenes.ts";

withDurability(Runner);

/** The first agent hands off to the second. */
export const handsOver = { calls: [{ name: "transfer_to_Second", input: {} }] };

const anything = () => ({
  type: "object" as const,
  properties: {},
  required: [],
  additionalProperties: true as const,
});

export const build: Build = (name, scene, baseURL) => {
  const modelProvider = new OpenAIProvider({ apiKey: "none", baseURL, useResponses: false });
  const runner = new Runner({ modelProvider, tracingDisabled: true });

  function agentOf(model: string, { tools = {}, inner, then }: Scene, called: string): Agent {
    const own = Object.entries(tools).map(([each, does]) =>
      tool({
        name: each,
        description: each,
        strict: false,
        parameters: anything(),
        execute: (input) => does(input as never),
      }),
    );
    const research = inner
      ? [
          agentOf(`${model}-inner`, inner, "Inner").asTool({
            toolName: "research",
            toolDescription: "research",
          }),
        ]
      : [];
    const handoffs = then ? [agentOf(`${model}-then`, then, "Second")] : [];
    return new Agent({ name: called, instructions: PROMPT, model, tools: [...own, ...research], handoffs });
  }

  const agent = agentOf(name, scene, "First");
  return async ({ who }) => {
    const prompt = `I am ${who}.`;
    if (!scene.streams) return (await runner.run(agent, prompt)).finalOutput ?? "";
    let text = "";
    for await (const part of (await runner.run(agent, prompt, { stream: true })).toTextStream()) text += part;
    return text;
  };
};
