import { readUIMessageStream, type UIMessageChunk } from "ai";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { freshDatabase } from "../../../test/fresh-database.ts";
import { Child } from "../../../test/process.ts";
import { ScriptedModel } from "./scripted-model.ts";

// examples/chat, as real processes of it, with a browser that goes away.

const model = new ScriptedModel();
const children: Child[] = [];
let database: Awaited<ReturnType<typeof freshDatabase>>;

beforeAll(async () => {
  await model.listen();
  database = await freshDatabase();
});
afterEach(async () => {
  await Promise.all(children.splice(0).map((child) => child.kill()));
});
afterAll(async () => {
  model.close();
  await database.drop();
});

/** A chat whose model remembers something, and is slow to end what it says after that. */
function chat(id = `chat-${crypto.randomUUID()}`) {
  model.script(
    id,
    { text: "Let me see. ", calls: [{ name: "remember", input: { fact: "likes kelp" } }] },
    { text: "I will remember that.", endsAfterMs: 1_500 },
  );
  const start = async () => {
    const env = { DATABASE_URL: database.url, OPENAI_BASE_URL: model.url, MODEL: id, PORT: "0" };
    const child = new Child("../examples/chat/src/main.ts", [], env);
    children.push(child);
    const { url } = await child.says("listening");
    return { child, url: url as string };
  };
  const question = { id: "question-1", role: "user", parts: [{ type: "text", text: "I like kelp." }] };
  const post = (url: string) =>
    fetch(`${url}/api/chat`, { method: "POST", body: JSON.stringify({ id, messages: [question] }) });
  const comeBack = (url: string) => fetch(`${url}/api/chat/${id}/stream`);
  const remembered = () => children.flatMap(({ lines }) => lines.filter(({ at }) => at === "remembered"));
  return { start, post, comeBack, remembered, asked: () => model.asked(id).map(({ turn }) => turn) };
}

/** What comes of a response, chunk by chunk, as `useChat` reads it. */
async function* chunks({ body }: Response): AsyncGenerator<UIMessageChunk> {
  let text = "";
  for await (const piece of body?.pipeThrough(new TextDecoderStream()) ?? []) {
    text += piece;
    for (let end = text.indexOf("\n\n"); end >= 0; end = text.indexOf("\n\n")) {
      const event = text.slice("data: ".length, end);
      text = text.slice(end + 2);
      if (event !== "[DONE]") yield JSON.parse(event) as UIMessageChunk;
    }
  }
}

/** Reads until the final text has begun, and then goes away. */
async function readSome(response: Response): Promise<void> {
  let steps = 0;
  for await (const { type } of chunks(response)) {
    if (type === "start-step") steps++;
    if (type === "text-delta" && steps === 2) return;
  }
}

/** The message that the browser has in the end. */
async function message(response: Response) {
  let last: unknown;
  for await (last of readUIMessageStream({ stream: ReadableStream.from(chunks(response)) }));
  return last;
}

const whole = expect.objectContaining({
  id: expect.stringMatching(/^answer-to-chat-.*question-1$/),
  parts: [
    { type: "step-start" },
    expect.objectContaining({ type: "text", text: "Let me see. ", state: "done" }),
    expect.objectContaining({ type: "tool-remember", output: { remembered: "likes kelp" } }),
    { type: "step-start" },
    expect.objectContaining({ type: "text", text: "I will remember that.", state: "done" }),
  ],
});

test("a browser that goes away and comes back gets the whole answer, which went on meanwhile", async () => {
  const { start, post, comeBack, remembered, asked } = chat();
  const { url } = await start();
  expect((await comeBack(url)).status).toBe(204);
  await readSome(await post(url));
  expect(await message(await comeBack(url))).toEqual(whole); // live, from its start
  expect(await message(await comeBack(url))).toEqual(whole); // or from the record
  expect(asked()).toEqual([0, 1]);
  expect(remembered()).toHaveLength(1);
}, 20_000);

test("when the server is killed in the middle of an answer, the next process goes on with it", async () => {
  const { start, post, comeBack, remembered, asked } = chat();
  const first = await start();
  await readSome(await post(first.url));
  await first.child.kill("SIGKILL");

  const second = await start();
  expect(await message(await comeBack(second.url))).toEqual(whole);
  expect(asked()).toEqual([0, 1, 1]); // what was cut off before it was recorded is asked for again
  expect(remembered()).toHaveLength(1);
}, 20_000);
