import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { usd } from "@holdfast/core";
import { ChatAnthropic } from "@langchain/anthropic";
import { BaseChatModel } from "@langchain/core/language_models/chat_models";
import { AIMessage, AIMessageChunk, type BaseMessage } from "@langchain/core/messages";
import { ChatGenerationChunk, type ChatResult } from "@langchain/core/outputs";
import { ChatGoogleGenerativeAI } from "@langchain/google-genai";
import { MessagesAnnotation, START, StateGraph } from "@langchain/langgraph";
import { ChatOpenAI } from "@langchain/openai";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { withDurability } from "../src/index.ts";
import { newThread, workbench } from "./workbench.ts";

/** A token of output costs ten micro-dollars, one of input nothing: a budget of 500 has room for an answer of 50. */
const prices = { "*/*": { inputPerMillion: 0, outputPerMillion: usd(10) } };
const { here, open } = workbench({ prices });

/** A graph that asks a model once. */
const asking = (model: { invoke(messages: BaseMessage[]): Promise<unknown> }) =>
  withDurability(
    new StateGraph(MessagesAnnotation)
      .addNode("agent", async ({ messages }) => ({
        messages: [(await model.invoke(messages)) as BaseMessage],
      }))
      .addEdge(START, "agent")
      .compile(),
    { holdfast: here() },
  );

const input = { messages: [{ role: "user", content: "Go." }] };

/** A run that may spend so much, and asks the model once. */
const run = (model: Parameters<typeof asking>[0], budget: number, runId = crypto.randomUUID()) =>
  here().run(runId, () => asking(model).invoke(input), { budget });

describe("the output cap that a budget has room for is in the request of", () => {
  type Body = Readonly<Record<string, unknown>>;
  const bodies: Body[] = [];
  const server = createServer((request, response) => void answer(request, response, bodies));
  let at = "";
  beforeAll(async () => {
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    at = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(() => {
    server.close();
    server.closeAllConnections();
  });

  const openai = (more: object) =>
    new ChatOpenAI({ model: "gpt-4o", apiKey: "k", maxRetries: 0, configuration: { baseURL: at }, ...more });
  const anthropic = (more: object) =>
    new ChatAnthropic({ model: "claude-x", apiKey: "k", maxRetries: 0, anthropicApiUrl: at, ...more });
  const google = (more: object) =>
    new ChatGoogleGenerativeAI({ model: "gemini-x", apiKey: "k", maxRetries: 0, baseUrl: at, ...more });
  const tools = [{ name: "look", description: "looks", schema: { type: "object", properties: {} } }];

  test.each<[string, () => Parameters<typeof asking>[0], (body: Body) => unknown]>([
    ["ChatOpenAI", () => openai({ maxTokens: 900 }), (body) => body.max_tokens],
    ["ChatOpenAI without a cap", () => openai({}), (body) => body.max_tokens],
    ["ChatOpenAI with tools", () => openai({}).bindTools(tools as never), (body) => body.max_tokens],
    ["ChatOpenAI that reasons", () => openai({ model: "o3" }), (body) => body.max_completion_tokens],
    ["ChatOpenAI on Responses", () => openai({ useResponsesApi: true }), (body) => body.max_output_tokens],
    ["ChatAnthropic", () => anthropic({}), (body) => body.max_tokens],
    ["ChatAnthropic with tools", () => anthropic({}).bindTools(tools as never), (body) => body.max_tokens],
    [
      "ChatGoogleGenerativeAI",
      () => google({}),
      (body) => (body.generationConfig as Body | undefined)?.maxOutputTokens,
    ],
  ])("%s", async (_, model, cap) => {
    bodies.length = 0;
    await run(model(), 500);
    expect(bodies.map(cap)).toEqual([50]);
  });

  test("ChatAnthropic that thinks: its tokens to think with come on top", async () => {
    bodies.length = 0;
    const thinking = { type: "enabled", budget_tokens: 1024 } as const;
    await run(anthropic({ thinking, maxTokens: 4096 }), 10_240 + 500);
    expect(bodies.map(({ max_tokens }) => max_tokens)).toEqual([1024 + 50]);
  });

  test("ChatOpenAI that is asked for several answers: each has its share", async () => {
    bodies.length = 0;
    await run(openai({ n: 2, maxTokens: 900 }), 500);
    expect(bodies.map(({ n, max_tokens }) => [n, max_tokens])).toEqual([[2, 25]]);
  });

  test("nothing, where there is no budget", async () => {
    bodies.length = 0;
    await here().run(crypto.randomUUID(), () => asking(openai({})).invoke(input));
    expect(bodies.map(({ max_tokens }) => max_tokens)).toEqual([undefined]);
  });
});

/** A model whose cap is where its test puts it. Its answer says the cap that it was asked with. */
class Capped extends BaseChatModel {
  readonly maxTokens: number | undefined;
  readonly tell: (model: Capped, options: { maxTokens?: number }) => object;

  constructor(tell: Capped["tell"], maxTokens?: number) {
    super({});
    this.tell = tell;
    this.maxTokens = maxTokens;
  }

  override _llmType(): string {
    return "capped";
  }

  override invocationParams(options: never) {
    return this.tell(this, options) as never;
  }

  override async _generate(_: BaseMessage[], options: never): Promise<ChatResult> {
    const message = new AIMessage(JSON.stringify(this.tell(this, options)));
    return { generations: [{ message, text: message.text }] };
  }

  override async *_streamResponseChunks(
    _: BaseMessage[],
    options: never,
  ): AsyncGenerator<ChatGenerationChunk> {
    const content = JSON.stringify(this.tell(this, options));
    yield new ChatGenerationChunk({ message: new AIMessageChunk({ content }), text: content });
  }
}

const byField: Capped["tell"] = ({ maxTokens }) => ({ max_tokens: maxTokens });
const byOption: Capped["tell"] = (_, { maxTokens }) => ({ maxOutputTokens: maxTokens });
const fixed: Capped["tell"] = () => ({ max_tokens: 100 });
const untold: Capped["tell"] = () => ({ temperature: 0 });

describe("a model of another class", () => {
  const said = async (model: Capped, budget = 500) => {
    const { messages } = (await run(model, budget)) as { messages: BaseMessage[] };
    return JSON.parse(messages.at(-1)?.text ?? "");
  };

  test("is asked with the cap where a field of it, or an option, is seen to set it", async () => {
    expect(await said(new Capped(byField))).toEqual({ max_tokens: 50 });
    expect(await said(new Capped(byField, 900))).toEqual({ max_tokens: 50 });
    expect(await said(new Capped(byField, 30))).toEqual({ max_tokens: 30 });
    expect(await said(new Capped(byOption))).toEqual({ maxOutputTokens: 50 });
  });

  test("is asked with the cap when it streams, too", async () => {
    const model = new Capped(byField, 900);
    let text = "";
    const work = async () => {
      const chunks = await asking(model).stream(input, { streamMode: "messages" });
      for await (const [message] of chunks) text += (message as BaseMessage).text;
    };
    await here().run(crypto.randomUUID(), work, { budget: 500 });
    expect(JSON.parse(text)).toEqual({ max_tokens: 50 });
  });

  test("is as it was for whoever else has it", async () => {
    const model = new Capped(byField, 900);
    await run(model, 500);
    expect(model.maxTokens).toBe(900);
  });

  test("whose cap nothing changes is asked only where that fits", async () => {
    expect(await said(new Capped(fixed), 1000)).toEqual({ max_tokens: 100 });
    await expect(run(new Capped(fixed), 500)).rejects.toMatchObject({ code: "BUDGET_EXHAUSTED" });
  });

  test("that tells no cap, and heeds none, is refused", async () => {
    await expect(run(new Capped(untold), 500)).rejects.toThrow("has no output cap, and none can be set here");
  });

  test("that does not take the very cap it is to have is not asked", async () => {
    const atLeast100: Capped["tell"] = ({ maxTokens }) => ({ max_tokens: Math.max(100, maxTokens ?? 100) });
    await expect(run(new Capped(atLeast100, 900), 500)).rejects.toThrow("does not take an output cap of 50");
  });

  test("is clamped on a thread as well", async () => {
    const app = withDurability(
      new StateGraph(MessagesAnnotation)
        .addNode("agent", async ({ messages }) => ({
          messages: [await new Capped(byField, 900).invoke(messages)],
        }))
        .addEdge(START, "agent")
        .compile(),
      { holdfast: await open({ budget: { perRun: 500 } }) },
    );
    const { messages } = await app.invoke(input, newThread());
    expect(messages.at(-1)?.text).toBe('{"max_tokens":50}');
  });
});

/** Answers as each provider would, whatever is asked. */
async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  bodies: Readonly<Record<string, unknown>>[],
): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  bodies.push(JSON.parse(Buffer.concat(chunks).toString()) as Record<string, unknown>);
  response.writeHead(200, { "content-type": "application/json" });
  const path = request.url ?? "";
  if (path.includes("/responses")) {
    const content = [{ type: "output_text", text: "done", annotations: [] }];
    const output = [{ type: "message", id: "m", role: "assistant", status: "completed", content }];
    const usage = { input_tokens: 9, output_tokens: 1, total_tokens: 10 };
    response.end(JSON.stringify({ id: "r", object: "response", status: "completed", output, usage }));
  } else if (path.includes("/messages")) {
    const usage = { input_tokens: 9, output_tokens: 1 };
    const content = [{ type: "text", text: "done" }];
    response.end(JSON.stringify({ id: "m", type: "message", role: "assistant", content, usage }));
  } else if (path.includes("generateContent")) {
    const candidates = [
      { index: 0, content: { role: "model", parts: [{ text: "done" }] }, finishReason: "STOP" },
    ];
    const usageMetadata = { promptTokenCount: 9, candidatesTokenCount: 1, totalTokenCount: 10 };
    response.end(JSON.stringify({ candidates, usageMetadata }));
  } else {
    const choices = [{ index: 0, message: { role: "assistant", content: "done" }, finish_reason: "stop" }];
    const usage = { prompt_tokens: 9, completion_tokens: 1, total_tokens: 10 };
    response.end(JSON.stringify({ id: "c", object: "chat.completion", choices, usage }));
  }
}
