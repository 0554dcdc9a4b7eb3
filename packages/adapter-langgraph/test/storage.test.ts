import { randomBytes } from "node:crypto";
import { AIMessage, type BaseMessage, HumanMessage, RemoveMessage } from "@langchain/core/messages";
import { END, MessagesAnnotation, START, StateGraph } from "@langchain/langgraph";
import { expect, test } from "vitest";
import { useSaver } from "./given-saver.ts";

const { saver, sql, newThread } = useSaver();

/** Bytes of all that a thread has stored: what is in its rows, without what Postgres adds to them. */
async function bytesOf({ configurable }: { configurable: { thread_id: string } }): Promise<number> {
  const tables = ["checkpoints", "checkpoint_writes", "checkpoint_parts"];
  const sizes = tables.map((table) =>
    sql<{ bytes: string }>(
      `select coalesce(sum(octet_length(r::text)), 0) as bytes
         from holdfast.${table} r join holdfast.threads using (thread) where thread_id = $1`,
      [configurable.thread_id],
    ),
  );
  return (await Promise.all(sizes)).reduce((sum, [row]) => sum + Number(row?.bytes), 0);
}

const kilobyte = () => randomBytes(768).toString("base64");

/** So many super-steps with a message of 1 KB each. */
async function steps(n: number, next: (messages: BaseMessage[]) => BaseMessage[]): Promise<number> {
  let step = 0;
  const app = new StateGraph(MessagesAnnotation)
    .addNode("say", ({ messages }) => ({ messages: next(messages) }))
    .addEdge(START, "say")
    .addConditionalEdges("say", () => (++step < n ? "say" : END))
    .compile({ checkpointer: saver() });
  const config = newThread();
  await app.invoke({ messages: [new HumanMessage("go")] }, { ...config, recursionLimit: n + 10 });
  return await bytesOf(config);
}

const exponent = (fewer: number, more: number, times: number) => Math.log(more / fewer) / Math.log(times);
const say = () => [new AIMessage(kilobyte())];

test("a thread's bytes grow with its length, not with the square of it", async () => {
  const [few, many] = [await steps(50, say), await steps(400, say)];
  expect(exponent(few, many, 8)).toBeLessThan(1.05);
}, 60_000);

test("400 super-steps with 1 KB messages take at most 2.5 MB on disk, indexes and all", async () => {
  const size = `select sum(pg_total_relation_size(relid))::bigint as bytes from pg_stat_user_tables where relname ~ '^(threads|checkpoint)'`;
  const before = Number((await sql<{ bytes: string }>(size))[0]?.bytes);
  await steps(400, say);
  const after = Number((await sql<{ bytes: string }>(size))[0]?.bytes);
  expect(after - before).toBeLessThan(2_500_000);
}, 60_000);

test("a history that is cut in front as it grows takes as much at each step", async () => {
  const cut = (messages: BaseMessage[]) => [
    ...say(),
    ...messages
      .slice(0, Math.max(0, messages.length - 30))
      .map(({ id }) => new RemoveMessage({ id: id ?? "" })),
  ];
  const [few, many] = [await steps(100, cut), await steps(400, cut)];
  expect(exponent(few, many, 4)).toBeLessThan(1.1);
}, 60_000);

test("a subgraph that is given the whole history does not store it again", async () => {
  const grown = async (turns: number) => {
    const inner = new StateGraph(MessagesAnnotation)
      .addNode("think", () => ({ messages: say() }))
      .addEdge(START, "think")
      .compile();
    const app = new StateGraph(MessagesAnnotation)
      .addNode("inner", inner)
      .addEdge(START, "inner")
      .addConditionalEdges("inner", ({ messages }) => (messages.length > turns ? END : "inner"))
      .compile({ checkpointer: saver() });
    const config = newThread();
    await app.invoke({ messages: [new HumanMessage("go")] }, { ...config, recursionLimit: 500 });
    return await bytesOf(config);
  };
  expect(exponent(await grown(25), await grown(200), 8)).toBeLessThan(1.1);
}, 60_000);
