import type * as plain from "ai";

/** An agent of so many turns, a model and a tool each, on a model in this process. `output` makes a tool's text. */
export function agent(
  ai: typeof plain,
  turns: number,
  output: (turn: number) => string,
): Promise<{ readonly text: string }> {
  const usage = {
    inputTokens: { total: 10, noCache: 10, cacheRead: 0, cacheWrite: 0 },
    outputTokens: { total: 10, text: 10, reasoning: 0 },
  };
  const model = {
    specificationVersion: "v4" as const,
    provider: "bench",
    modelId: "bench",
    supportedUrls: {},
    doGenerate: async ({ prompt }: { prompt: readonly { role: string }[] }) => {
      const turn = prompt.filter(({ role }) => role === "assistant").length;
      return {
        content:
          turn < turns
            ? [
                {
                  type: "tool-call",
                  toolCallId: `call-${turn}`,
                  toolName: "look",
                  input: JSON.stringify({ turn }),
                },
              ]
            : [{ type: "text", text: "done" }],
        finishReason: { unified: turn < turns ? "tool-calls" : "stop", raw: undefined },
        usage,
        warnings: [],
      };
    },
    doStream: () => {
      throw new Error("not streamed");
    },
  };
  return ai.generateText({
    model: model as never,
    prompt: "go",
    tools: {
      look: ai.tool({
        inputSchema: ai.jsonSchema<{ turn: number }>({
          type: "object",
          properties: { turn: { type: "number" } },
        }),
        execute: ({ turn }) => ({ turn, text: output(turn) }),
      }),
    },
    stopWhen: () => false,
  });
}
