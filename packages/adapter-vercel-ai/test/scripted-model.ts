import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** What the model says in one turn: a text, or tool calls. */
export interface Turn {
  readonly text?: string;
  readonly calls?: readonly { name: string; input: unknown; id?: string }[];
  /** Fails this many requests of the turn: before the answer (a status), or in the middle of the stream. */
  readonly fails?: { times: number; how: "status" | "cut" };
  /** A streamed answer pauses for so long between its last words and its end. */
  readonly endsAfterMs?: number;
}

export interface Asked {
  readonly model: string;
  readonly turn: number;
  readonly stream: boolean;
  readonly max_tokens: number | undefined;
  readonly messages: readonly { role: string; content: unknown }[];
}

/**
 * An OpenAI-compatible server with a script for each model id. How many answers the conversation holds already decides
 * which turn is next. Tool call ids are random unless the script gives one, so that a repeated call is never mistaken
 * for a recorded one.
 */
export class ScriptedModel {
  readonly #scripts = new Map<string, readonly Turn[]>();
  readonly #asked: Asked[] = [];
  readonly #failures = new Map<Turn, number>();
  readonly #server = createServer((request, response) => void this.#answer(request, response));

  async listen(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  script(model: string, ...turns: readonly Turn[]): void {
    this.#scripts.set(model, turns);
  }

  /** The requests for a model so far. */
  asked(model: string): readonly Asked[] {
    return this.#asked.filter((asked) => asked.model === model);
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { model, stream = false, messages, max_tokens } = JSON.parse(await textOf(request));
    const turn = messages.filter(({ role }: Asked["messages"][number]) => role === "assistant").length;
    this.#asked.push({ model, turn, stream, max_tokens, messages });

    const said = this.#scripts.get(model)?.at(turn);
    if (!said) return void response.writeHead(404).end(`{"error":{"message":"no turn ${turn} of ${model}"}}`);
    const failed = this.#failures.get(said) ?? 0;
    const fails = failed < (said.fails?.times ?? 0) ? said.fails?.how : undefined;
    if (fails) this.#failures.set(said, failed + 1);
    if (fails === "status")
      return void response.writeHead(503, { "retry-after-ms": "5" }).end(`{"error":{"message":"busy"}}`);

    const answer = { id: `chatcmpl-${crypto.randomUUID()}`, created: 1_750_000_000, model };
    if (stream) await streamAnswer(response, answer, said, fails === "cut");
    else
      response
        .writeHead(200, { "content-type": "application/json" })
        .end(JSON.stringify(whole(answer, said)));
  }
}

function whole(answer: object, said: Turn) {
  const tool_calls = toolCallsOf(said);
  const message = {
    role: "assistant",
    content: said.text ?? null,
    ...(tool_calls.length > 0 && { tool_calls }),
  };
  const finish_reason = tool_calls.length > 0 ? "tool_calls" : "stop";
  return { ...answer, object: "chat.completion", choices: [{ index: 0, finish_reason, message }], usage };
}

async function streamAnswer(
  response: ServerResponse,
  answer: object,
  said: Turn,
  cut: boolean,
): Promise<void> {
  const send = (rest: object) =>
    response.write(`data: ${JSON.stringify({ ...answer, object: "chat.completion.chunk", ...rest })}\n\n`);
  const sendDelta = (delta: object) => send({ choices: [{ index: 0, delta }] });

  response.writeHead(200, { "content-type": "text/event-stream" });
  sendDelta({ role: "assistant", content: "" });
  for (const word of said.text?.match(/\S+\s*/g) ?? []) sendDelta({ content: word });
  const calls = toolCallsOf(said);
  for (const call of calls) {
    const { name, arguments: input } = call.function;
    sendDelta({ tool_calls: [{ ...call, function: { name, arguments: "" } }] });
    for (const piece of input.match(/.{1,4}/g) ?? []) {
      sendDelta({ tool_calls: [{ index: call.index, function: { arguments: piece } }] });
    }
  }
  if (said.endsAfterMs) await new Promise((resolve) => setTimeout(resolve, said.endsAfterMs));
  if (cut) return void response.destroy();
  send({ choices: [{ index: 0, delta: {}, finish_reason: calls.length > 0 ? "tool_calls" : "stop" }] });
  send({ choices: [], usage });
  response.end("data: [DONE]\n\n");
}

const usage = {
  prompt_tokens: 100,
  completion_tokens: 20,
  total_tokens: 120,
  prompt_tokens_details: { cached_tokens: 40 },
  completion_tokens_details: { reasoning_tokens: 7 },
};

const toolCallsOf = ({ calls = [] }: Turn) =>
  calls.map(({ name, input, id = `call_${crypto.randomUUID()}` }, index) => {
    return { index, id, type: "function", function: { name, arguments: JSON.stringify(input) } };
  });

async function textOf(request: IncomingMessage): Promise<string> {
  let text = "";
  for await (const chunk of request) text += chunk;
  return text;
}
