import type * as ai from "ai";
import type { World } from "./world.ts";

export interface Turn {
  readonly text?: string;
  readonly calls?: readonly { readonly name: string; readonly input: object }[];
}

/** By model, what it says in each turn. How many answers the conversation holds decides which turn is next. */
export type Scripts = Readonly<Record<string, readonly Turn[]>>;

type Model = Exclude<Parameters<typeof ai.generateText>[0]["model"], string>;

/** Models in this process. Every answer is paid for as it is given, and its tool call ids are new each time. */
export const scripted =
  (scripts: Scripts, world: Pick<World, "pay">) =>
  (id: string): Model => {
    const answer = async (prompt: readonly { role: string }[]) => {
      const turn = prompt.filter(({ role }) => role === "assistant").length;
      const said = scripts[id]?.[turn];
      if (!said) throw new Error(`${id} has no turn ${turn}`);
      await world.pay(`${id}/${turn}`);
      const calls = (said.calls ?? []).map(({ name, input }) => ({
        type: "tool-call" as const,
        toolCallId: crypto.randomUUID(),
        toolName: name,
        input: JSON.stringify(input),
      }));
      const unified = calls.length > 0 ? ("tool-calls" as const) : ("stop" as const);
      return { text: said.text, calls, finish: { finishReason: { unified, raw: undefined }, usage }, turn };
    };
    return {
      specificationVersion: "v4",
      provider: "scripted",
      modelId: id,
      supportedUrls: {},
      async doGenerate({ prompt }) {
        const { text, calls, finish } = await answer(prompt);
        const words = text === undefined ? [] : [{ type: "text" as const, text }];
        return { content: [...words, ...calls], ...finish, warnings: [] };
      },
      async doStream({ prompt }) {
        const { text = "", calls, finish } = await answer(prompt);
        const words = text.match(/\S+\s*/g) ?? [];
        const parts = [
          { type: "stream-start" as const, warnings: [] },
          { type: "text-start" as const, id: "0" },
          ...words.map((delta) => ({ type: "text-delta" as const, id: "0", delta })),
          { type: "text-end" as const, id: "0" },
          ...calls,
          { type: "finish" as const, ...finish },
        ];
        return { stream: ReadableStream.from(parts) as never };
      },
    };
  };

const usage = {
  inputTokens: { total: 10, noCache: 10, cacheRead: 0, cacheWrite: 0 },
  outputTokens: { total: 5, text: 5, reasoning: 0 },
};
