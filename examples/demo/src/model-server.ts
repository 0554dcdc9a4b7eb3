import { randomBytes } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { json } from "node:stream/consumers";

/** A model behind the OpenAI protocol that counts what it is asked: each call is one that somebody pays for. */
export interface ModelServer extends Disposable {
  readonly url: string;
  calls(): number;
}

/** Answers from the script below. */
export const startScriptedModel = (): Promise<ModelServer> => start(followScript);

/** Hands each call on to a real provider. */
export const startRelay = (upstream: string): Promise<ModelServer> =>
  start((body, request, response) => relay(upstream, body, request, response));

type Turn = { readonly tool: string; readonly input: unknown } | { readonly text: string };

const script: readonly Turn[] = [
  { tool: "lookup_order", input: { orderId: "42" } },
  { tool: "issue_refund", input: { orderId: "42", cents: 3900 } },
  {
    tool: "email_customer",
    input: {
      to: "customer@example.com",
      subject: "Your refund for order 42",
      body: "We have refunded 39.00 for the kettle that arrived broken.",
    },
  },
  { text: "Order 42 is refunded in full (39.00), and the customer has been told by e-mail." },
];

interface ChatRequest {
  readonly model: string;
  readonly stream?: boolean;
  readonly stream_options?: { readonly include_usage?: boolean };
  readonly messages: readonly { readonly role: string }[];
}

type Answer = (body: ChatRequest, request: IncomingMessage, response: ServerResponse) => void | Promise<void>;

async function start(answer: Answer): Promise<ModelServer> {
  let calls = 0;
  const server = createServer((request, response) => {
    calls += 1;
    const answered = json(request).then((body) => answer(body as ChatRequest, request, response));
    answered.catch((error: unknown) => {
      if (!response.headersSent) response.writeHead(502, { "content-type": "application/json" });
      response.end(JSON.stringify({ error: { message: String(error) } }));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    calls: () => calls,
    [Symbol.dispose]: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

/** How far the conversation is, is said by the conversation: the turn is the number of answers in it already. */
function followScript(body: ChatRequest, _request: IncomingMessage, response: ServerResponse): void {
  const turn = script[body.messages.filter((message) => message.role === "assistant").length] ?? {
    text: "Done.",
  };
  const reason = "tool" in turn ? "tool_calls" : "stop";
  const message =
    "tool" in turn
      ? { role: "assistant", content: null, tool_calls: [toolCall(turn)] }
      : { role: "assistant", content: turn.text };
  const head = { id: `chatcmpl-${randomBytes(6).toString("hex")}`, created: seconds(), model: body.model };
  const usage = { prompt_tokens: 60 + 40 * body.messages.length, completion_tokens: 20 };
  const total = { ...usage, total_tokens: usage.prompt_tokens + usage.completion_tokens };

  if (!body.stream) {
    response.writeHead(200, { "content-type": "application/json" });
    const choices = [{ index: 0, message, finish_reason: reason }];
    response.end(JSON.stringify({ ...head, object: "chat.completion", choices, usage: total }));
    return;
  }
  response.writeHead(200, { "content-type": "text/event-stream" });
  const send = (chunk: object) =>
    response.write(`data: ${JSON.stringify({ ...head, object: "chat.completion.chunk", ...chunk })}\n\n`);
  send({ choices: [{ index: 0, delta: message, finish_reason: null }] });
  send({ choices: [{ index: 0, delta: {}, finish_reason: reason }] });
  if (body.stream_options?.include_usage) send({ choices: [], usage: total });
  response.end("data: [DONE]\n\n");
}

/** The id is random, as a provider's is: asked again, a model plans the same call under another id. */
const toolCall = (turn: Extract<Turn, { tool: string }>) => ({
  index: 0,
  id: `call_${randomBytes(9).toString("base64url")}`,
  type: "function",
  function: { name: turn.tool, arguments: JSON.stringify(turn.input) },
});

const seconds = () => Math.floor(Date.now() / 1000);

async function relay(
  upstream: string,
  body: ChatRequest,
  request: IncomingMessage,
  response: ServerResponse,
) {
  const path = (request.url ?? "").replace(/^\/v1/, "");
  const answer = await fetch(`${upstream}${path}`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: request.headers.authorization ?? "" },
    body: JSON.stringify(body),
  });
  response.writeHead(answer.status, {
    "content-type": answer.headers.get("content-type") ?? "application/json",
  });
  for await (const chunk of answer.body ?? []) response.write(chunk);
  response.end();
}
