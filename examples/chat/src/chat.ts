import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Holdfast, RunOptions } from "@holdfast/core";
import { withDurability } from "@holdfast/vercel-ai";
import type { LanguageModel, ModelMessage, ToolSet, UIMessage } from "ai";
import * as ai from "ai";

const { convertToModelMessages, isStepCount, streamText } = withDurability(ai);

interface ChatOptions {
  readonly hf: Holdfast;
  readonly model: LanguageModel;
  readonly tools: ToolSet;
}

/** What `useChat` talks to. One run for each message of the user: whoever comes back for its answer gets all of it. */
export function chatServer({ hf, model, tools }: ChatOptions): Server {
  /** The answers that this process is at, by run: how to send one. */
  const live = new Map<string, (response: ServerResponse) => void>();

  return createServer((request, response) => {
    route(request, response).catch((error: unknown) => {
      console.error(error);
      if (!response.headersSent) response.writeHead(500);
      response.end();
    });
  });

  async function route(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chat = /^\/api\/chat\/([\w-]+)\/stream$/.exec(request.url ?? "")?.[1];
    if (request.method === "POST" && request.url === "/api/chat") {
      const { id, messages } = JSON.parse(await textOf(request)) as { id: string; messages: UIMessage[] };
      await answer(id, messages, response);
    } else if (request.method === "GET" && chat) {
      const [last] = await hf.runs.list({ agent: "chat", tag: chat, limit: 1 });
      if (!last) return void response.writeHead(204).end();
      const { input } = await hf.runs.get(last.id);
      await answer(chat, input as UIMessage[], response);
    } else {
      response.writeHead(404).end();
    }
  }

  async function answer(chat: string, messages: UIMessage[], response: ServerResponse): Promise<void> {
    const prompt = await convertToModelMessages(messages);
    const runId = `${chat}/${messages.at(-1)?.id}`;
    const send = live.get(runId) ?? begin(runId, () => ask(prompt), { tags: [chat], input: messages });
    send(response);
  }

  /** Without `abortSignal: request.signal`: the answer is written to its end, even if nobody waits for it. */
  function ask(prompt: ModelMessage[]) {
    return streamText({ model, tools, messages: prompt, stopWhen: isStepCount(9) });
  }

  function begin(runId: string, work: () => ReturnType<typeof ask>, about: RunOptions) {
    // A process that is at this run and has died is waited for, and taken over from.
    const { value, done } = hf.stream(runId, work, { agent: "chat", onLeased: "wait", ...about });
    // What streamText gives can be read any number of times, each time from its start. The message keeps its id, so that
    // the browser knows it again.
    const generateMessageId = () => `answer-to-${runId}`;
    const send = (response: ServerResponse) =>
      void value.pipeUIMessageStreamToResponse(response, { generateMessageId });
    live.set(runId, send);
    done.catch((error: unknown) => console.error(error)).finally(() => live.delete(runId));
    return send;
  }
}

async function textOf(request: IncomingMessage): Promise<string> {
  let text = "";
  for await (const chunk of request) text += chunk;
  return text;
}
