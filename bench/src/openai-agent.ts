import { Agent, type Model, type ModelResponse, Runner, tool, Usage } from "@openai/agents";

/** An agent of so many turns, a model and a tool each, on a model in this process. `output` makes a tool's text. */
export async function openaiAgent(turns: number, output: (turn: number) => string): Promise<unknown> {
  const model: Model = {
    async getResponse({ input }): Promise<ModelResponse> {
      const turn =
        typeof input === "string" ? 0 : input.filter(({ type }) => type === "function_call").length;
      const usage = new Usage({ requests: 1, inputTokens: 10, outputTokens: 10, totalTokens: 20 });
      if (turn === turns) {
        const content = [{ type: "output_text" as const, text: "done" }];
        return { usage, output: [{ type: "message", role: "assistant", status: "completed", content }] };
      }
      const call = { callId: `call-${turn}`, name: "look", arguments: JSON.stringify({ turn }) };
      return { usage, output: [{ type: "function_call", status: "completed", ...call }] };
    },
    getStreamedResponse() {
      throw new Error("not streamed");
    },
  };
  const look = tool({
    name: "look",
    description: "looks",
    strict: false,
    parameters: {
      type: "object",
      properties: { turn: { type: "number" } },
      required: [],
      additionalProperties: true,
    },
    execute: (input) => {
      const { turn } = input as { turn: number };
      return { turn, text: output(turn) };
    },
  });
  return await new Runner().run(new Agent({ name: "Bench", model, tools: [look] }), "go", {
    maxTurns: turns + 2,
  });
}
