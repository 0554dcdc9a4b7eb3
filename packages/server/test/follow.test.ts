import { createHmac, randomBytes } from "node:crypto";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { current, step } from "@holdfast/core";
import { afterEach, expect, test } from "vitest";
import { type Following, signatureOf, startTraces, startWebhook } from "../src/index.ts";
import { toldAs } from "../src/told.ts";
import { aDoubt, aRun, newId, useServer } from "./served.ts";

const server = useServer();
const following: Following[] = [];
const stops: (() => void)[] = [];
afterEach(async () => {
  await Promise.all(following.splice(0).map((each) => each.stop()));
  for (const stop of stops.splice(0)) stop();
});

/** Somebody who is told things over HTTP, and answers with the statuses that were arranged, then with 200. */
async function listener(...statuses: number[]) {
  // biome-ignore lint/suspicious/noExplicitAny: what JSON says is what the test expects of it
  const heard: { headers: Record<string, unknown>; text: string; body: any }[] = [];
  let tell = () => {};
  const http = createServer((request, response) => {
    let text = "";
    request.on("data", (chunk: Buffer) => {
      text += chunk.toString();
    });
    request.on("end", () => {
      response.writeHead(statuses.shift() ?? 200).end();
      heard.push({ headers: request.headers, text, body: JSON.parse(text) });
      tell();
    });
  });
  await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
  stops.push(() => http.close());
  return {
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}/v1/traces`,
    heard,
    /** Waits until it is so of what was heard. */
    async until(is: () => boolean): Promise<void> {
      while (!is())
        await new Promise<void>((resolve) => {
          tell = resolve;
        });
    },
  };
}

const secret = "a secret of some length, for a test";

test("a webhook is told of doubts and ends as they are committed, signed, in order and without values", async () => {
  const there = await listener();
  following.push(await startWebhook(server.hf, { name: "one", url: there.url, secret }));
  const id = await aRun(server.hf, { input: { card: "4242" } });
  const { id: doubtful } = await aDoubt(server.hf);
  await there.until(() => there.heard.length === 2);
  expect(there.heard.map(({ body }) => [body.type, body.data.runId])).toEqual([
    ["holdfast.outcome", id],
    ["holdfast.doubt", doubtful],
  ]);
  for (const { headers, text } of there.heard) {
    const [hook, at] = [String(headers["webhook-id"]), String(headers["webhook-timestamp"])];
    expect(headers["webhook-signature"]).toBe(signatureOf(secret, hook, at, text));
    expect(text).not.toContain("4242");
  }
});

test("what a webhook does not take is sent again, under the same id, and what comes after waits; nothing is lost over a restart", async () => {
  const there = await listener(500);
  const first = await startWebhook(server.hf, { name: "two", url: there.url, secret });
  const ids = [await aRun(server.hf), await aRun(server.hf)];
  await there.until(() => there.heard.length === 1);
  await first.stop();
  const { db } = await server.hf.opened();
  const looked = await db.query<{ failures: number; error: string }>(
    "select failures, error from holdfast.followers where name = 'webhook:two'",
  );
  expect(looked.rows).toEqual([{ failures: 1, error: "answered with 500" }]);
  ids.push(await aRun(server.hf));
  await db.query("update holdfast.followers set next_at = now()");
  following.push(await startWebhook(server.hf, { name: "two", url: there.url, secret }));
  await there.until(() => there.heard.length === 4);
  expect(there.heard.slice(1).map(({ body }) => body.data.runId)).toEqual(ids);
  expect(there.heard[1]?.headers["webhook-id"]).toBe(there.heard[0]?.headers["webhook-id"]);
});

test("of several servers one tells", async () => {
  const there = await listener();
  const options = { name: "three", url: there.url, secret };
  following.push(await startWebhook(server.hf, options), await startWebhook(server.hf, options));
  const ids = [];
  for (let i = 0; i < 10; i++) ids.push(await aRun(server.hf));
  await there.until(() => there.heard.length >= 10);
  expect(there.heard.map(({ body }) => body.data.runId)).toEqual(ids);
});

test("a webhook with a secret that could be guessed is refused", async () => {
  await expect(startWebhook(server.hf, { name: "x", url: "http://x", secret: "short" })).rejects.toThrow(
    "secret",
  );
  await expect(startWebhook(server.hf, { name: "x", url: "file:///x", secret })).rejects.toThrow("http");
});

test("a webhook is signed as Standard Webhooks have it: with the key that follows whsec_, or with text as it is", async () => {
  const key = randomBytes(24);
  const signed = (by: Buffer | string, id: string, at: string, text: string) =>
    `v1,${createHmac("sha256", by).update(`${id}.${at}.${text}`).digest("base64")}`;
  const there = await listener();
  const base64 = `whsec_${key.toString("base64")}`;
  following.push(await startWebhook(server.hf, { name: "signed", url: there.url, secret: base64 }));
  await aRun(server.hf);
  await there.until(() => there.heard.length === 1);
  for (const { headers, text } of there.heard) {
    const [id, at] = [String(headers["webhook-id"]), String(headers["webhook-timestamp"])];
    expect(headers["webhook-signature"]).toBe(signed(key, id, at, text));
  }
  expect(signatureOf("sécret", "id", "1", "{}")).toBe(signed("sécret", "id", "1", "{}"));
  // The example of the specification's own libraries.
  const example = signatureOf(
    "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "msg_p5jXN8AQM9LWM0D4loKWxJek",
    "1614265330",
    '{"test": 2432232314}',
  );
  expect(example).toBe("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
});

test.each([
  ["too short a key", `whsec_${randomBytes(23).toString("base64")}`],
  ["no base64", "whsec_this is text and was never a key"],
])("a webhook with a secret of %s behind whsec_ is refused", async (_, secret) => {
  const started = startWebhook(server.hf, { name: "x", url: "http://x", secret });
  await expect(started).rejects.toThrow("(INVALID_ARGUMENT)");
});

test("what an entry says of itself does not take the place of its stamp", () => {
  const at = new Date("2026-01-01T00:00:00Z");
  const own = { at: "never", runId: "other", seq: 9, epoch: 9, kind: "outcome", step: "other", note: "kept" };
  const told = toldAs({
    place: { run: "1", seq: 2 },
    runId: "order-42",
    agent: null,
    epoch: 1,
    at,
    kind: "note",
    step: "pay#0",
    isCopy: false,
    body: JSON.stringify(own),
  });
  expect(told).toEqual({
    runId: "order-42",
    seq: 2,
    epoch: 1,
    at: "2026-01-01T00:00:00.000Z",
    kind: "note",
    step: "pay#0",
    note: "kept",
  });
});

interface Span {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes: { readonly key: string; readonly value: Record<string, unknown> }[];
  readonly links?: { readonly traceId: string; readonly spanId: string }[];
}

const attributesOf = (span: Span | undefined): Record<string, unknown> =>
  Object.fromEntries((span?.attributes ?? []).map(({ key, value }) => [key, Object.values(value)[0]]));

test("a collector gets a trace a run, its calls under it, each once, over a takeover that is marked", async () => {
  const there = await listener(503);
  following.push(await startTraces(server.hf, { url: there.url }));
  const id = newId();
  let broken = true;
  const work = async () => {
    const call = {
      kind: "model",
      name: "acme/large",
      input: { prompt: "hi" },
      usage: () => ({ inputTokens: 3, outputTokens: 2 }),
    } as const;
    await current()?.step(call, () => "ho");
    await step("charge", () => 1, { effect: "idempotent" });
    if (broken) throw new Error("the process had enough");
    return "done";
  };
  await server.hf.run(id, work, { agent: "support" }).catch(() => {});
  broken = false;
  await server.hf.run(id, work, { agent: "support" });
  const { db } = await server.hf.opened();
  const spans = () =>
    there.heard.slice(1).flatMap(({ body }) => body.resourceSpans[0].scopeSpans[0].spans as Span[]);
  const hurry = () => db.query("update holdfast.followers set next_at = now()");
  await there.until(() => there.heard.length > 0).then(hurry);
  await there.until(() => spans().filter(({ name }) => name.startsWith("invoke_agent")).length === 2);

  const of = (name: string) => spans().filter((span) => span.name === name);
  expect(new Set(spans().map(({ traceId }) => traceId)).size).toBe(1);
  expect(of("charge")).toHaveLength(1);
  const [chat] = of("chat large");
  const [run] = of("invoke_agent support");
  expect(chat?.parentSpanId).toBe(run?.spanId);
  expect(attributesOf(chat)).toMatchObject({
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "acme",
    "gen_ai.request.model": "large",
    "gen_ai.usage.input_tokens": "3",
    "gen_ai.usage.output_tokens": "2",
    "gen_ai.conversation.id": id,
  });
  const [takeover] = of("takeover after retry");
  expect(takeover?.attributes).toContainEqual({ key: "holdfast.replayed.calls", value: { intValue: "2" } });
  // What was replayed is marked, leads to the call that was made, and says nothing that could be counted again.
  const [replayed] = of("replayed chat large");
  expect(replayed?.parentSpanId).toBe(takeover?.spanId);
  expect(replayed?.links).toEqual([{ traceId: chat?.traceId, spanId: chat?.spanId }]);
  expect(attributesOf(replayed)).toEqual({
    "gen_ai.conversation.id": id,
    "gen_ai.agent.name": "support",
    "holdfast.run.id": id,
    "holdfast.epoch": "2",
    "holdfast.seq": attributesOf(takeover)["holdfast.seq"],
    "holdfast.step": "model#0",
    "holdfast.replayed": true,
  });
  expect(of("replayed charge")).toHaveLength(1);
  for (const span of spans())
    expect(BigInt(span.endTimeUnixNano)).toBeGreaterThanOrEqual(BigInt(span.startTimeUnixNano));
});

test("what a fork shares with another run, and what was imported, is told nowhere a second time", async () => {
  const there = await listener();
  const id = newId();
  await server.hf.run(id, () => step("charge", () => 1, { effect: "idempotent" }));
  const file = await server.hf.exportRun(id);
  following.push(await startTraces(server.hf, { url: there.url }));
  following.push(
    await startWebhook(server.hf, {
      name: "copies",
      url: there.url,
      secret,
      kinds: ["observation", "outcome"],
    }),
  );
  await server.hf.importRun(file, { id: newId() });
  const at = (await server.hf.entries(id)).find(({ kind }) => kind === "observation")?.seq;
  const fork = await server.hf.fork(id, { at });
  await server.hf.run(fork.id, async () => {
    await step("charge", () => 2, { effect: "idempotent" });
    return await step("thank", () => 3, { effect: "idempotent" });
  });
  const posts = () =>
    there.heard.filter(({ body }) => body.type).map(({ body }) => [body.type, body.data.step]);
  const spans = () =>
    there.heard
      .flatMap(({ body }) => (body.resourceSpans?.[0].scopeSpans[0].spans ?? []) as Span[])
      .map(({ name }) => name);
  await there.until(() => posts().length >= 2 && spans().includes("invoke_agent"));
  expect(posts()).toEqual([
    ["holdfast.observation", "thank#0"],
    ["holdfast.outcome", undefined],
  ]);
  expect(spans()).toEqual(["takeover after wait", "replayed charge", "thank", "invoke_agent"]);
});
