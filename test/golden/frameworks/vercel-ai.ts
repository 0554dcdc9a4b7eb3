import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { withDurability } from "@holdfast/vercel-ai";
import * as plain from "ai";
import { type Build, PROMPT, type Scene } from "./scenes.ts";

const ai = withDurability(plain);
const anything = ai.jsonSchema<never>({ type: "object" });

/** The second agent goes on with the chat of the first. */
export const build: Build = (name, scene, baseURL) => {
  const provider = createOpenAICompatible({ name: "golden", baseURL });

  async function ask(id: string, scene: Scene, messages: plain.ModelMessage[]): Promise<string> {
    const { inner } = scene;
    const own = Object.entries(scene.tools ?? {}).map(([called, execute]) => {
      return [called, ai.tool({ description: called, inputSchema: anything, execute })] as const;
    });
    const research = ai.tool({
      description: "research",
      inputSchema: anything,
      execute: ({ input }: { input: string }) =>
        inner ? ask(`${id}-inner`, inner, [{ role: "user", content: input }]) : "",
    });
    const asked = {
      model: provider(id),
      instructions: PROMPT,
      messages,
      tools: Object.fromEntries(inner ? [...own, ["research", research]] : own),
      stopWhen: ai.isStepCount(9),
    };
    if (!scene.streams) return (await ai.generateText(asked)).text;
    let text = "";
    for await (const part of ai.streamText(asked).textStream) text += part;
    return text;
  }

  return async ({ who }) => {
    const user = { role: "user", content: `I am ${who}.` } as const;
    const first = await ask(name, scene, [user]);
    if (!scene.then) return first;
    return await ask(`${name}-then`, scene.then, [user, { role: "assistant", content: first }, user]);
  };
};
