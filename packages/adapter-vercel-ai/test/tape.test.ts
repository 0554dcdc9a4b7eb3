import { setImmediate as nextTurn } from "node:timers/promises";
import type { Live, Port } from "@holdfast/core";
import { expect, test } from "vitest";
import { holdOn } from "../src/hold.ts";
import type { Part } from "../src/language-model.ts";
import { replay } from "../src/stream.ts";
import { join, type Recording, Tape } from "../src/tape.ts";

const joined = (...parts: Part[]): Part[] => {
  const all: Part[] = [];
  for (const part of parts) join(all, part);
  return all;
};

const text = (id: string, delta: string, more: object = {}): Part => ({
  type: "text-delta",
  id,
  delta,
  ...more,
});

test("pieces of one text are joined", () => {
  expect(joined(text("1", "a"), text("1", "b"), text("1", "c"))).toEqual([text("1", "abc")]);
});

test.each([
  ["of two texts", [text("1", "a"), text("2", "b")]],
  ["of a text and a thought", [text("1", "a"), { ...text("1", "b"), type: "reasoning-delta" }]],
  ["apart from each other", [text("1", "a"), { type: "text-end", id: "1" }, text("1", "b")]],
  ["that carry metadata", [text("1", "a"), text("1", "b", { providerMetadata: { x: { signature: "s" } } })]],
])("pieces %s are not joined", (_, parts) => {
  expect(joined(...(parts as Part[]))).toEqual(parts);
});

test("raw chunks and pings are not kept", () => {
  expect(joined({ type: "raw", rawValue: {} }, text("1", "a"), { type: "ping" }, text("1", "b"))).toEqual([
    text("1", "ab"),
  ]);
});

test("a recording is a stream again, part for part, as often as one likes", async () => {
  const parts = [text("1", "abc"), { type: "finish" }];
  for (const _ of ["once", "twice"]) {
    const { stream, ...rest } = replay({ parts, rest: { request: {} } });
    const read: Part[] = [];
    for await (const part of stream) read.push(part);
    expect({ read, rest }).toEqual({ read: parts, rest: { request: {} } });
  }
});

test("the finish is handed on, and early tools are let go, only once the whole is on record", async () => {
  const recorded = Promise.withResolvers<void>();
  const live = { grow: async () => {}, commit: () => recorded.promise } as unknown as Live<Recording>;
  const hold = holdOn({} as Port, { streams: true });
  const tape = new Tape({ live, hold, rest: {}, modelId: "m" });
  const happened: string[] = [];

  await tape.take({ type: "tool-call", toolCallId: "c1", toolName: "look", input: "{}" });
  const released = hold.answered.get("c1")?.then(() => happened.push("a tool is let go"));
  const finished = tape.take({ type: "finish" }).then(() => happened.push("the finish is handed on"));
  await nextTurn();
  expect(happened).toEqual([]);

  recorded.resolve();
  await Promise.all([released, finished]);
  expect(happened.toSorted()).toEqual(["a tool is let go", "the finish is handed on"]);
});
