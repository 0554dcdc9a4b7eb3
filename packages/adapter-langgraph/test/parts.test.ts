import { fc, test } from "@fast-check/vitest";
import { MemorySaver } from "@langchain/langgraph-checkpoint";
import { describe, expect } from "vitest";
import { join, missing, type Part, partsOf, split } from "../src/saver/parts.ts";

const { serde } = new MemorySaver();
const nothing: ReadonlySet<string> = new Set();

/** Takes apart, and keeps of it what the store would have to be sent. */
async function kept(value: unknown, known = nothing) {
  const made = await split({ value }, serde);
  return { ref: made.refs.value as NonNullable<typeof made.refs.value>, parts: missing(made, known) };
}

async function backAgain(value: unknown): Promise<unknown> {
  const { ref, parts } = await kept(value);
  return await join(ref, parts, serde);
}

/** What LangGraph's serializer itself makes of it. */
async function throughSerde(value: unknown): Promise<unknown> {
  const [type, bytes] = await serde.dumpsTyped(value);
  return await serde.loadsTyped(type, bytes);
}

const messages = (n: number, from = 0) =>
  Array.from({ length: n }, (_, i) => ({ id: `message-${from + i}`, text: "a message that is long enough" }));

// As in JSON: -0 is 0 there, and __proto__ no name for a field of one's own.
const json = fc
  .jsonValue({ maxDepth: 3 })
  .map((value) => JSON.parse(JSON.stringify(value).replaceAll("__proto__", "proto")) as unknown);

test.prop([json])("a value comes back as it was", async (value) => {
  expect(await backAgain(value)).toEqual(value);
});

test.prop([fc.array(json, { maxLength: 300 })])("a list comes back item by item, in order", async (items) => {
  expect(await backAgain(items)).toEqual(items);
});

test.prop([fc.dictionary(fc.string(), fc.array(json, { maxLength: 40 }))])(
  "an object of lists comes back, with its names in order",
  async (value) => {
    const plain = await throughSerde(value);
    const back = await backAgain(value);
    expect(back).toEqual(plain);
    expect(Object.keys(back as object)).toEqual(Object.keys(plain as object));
  },
);

test.prop([fc.integer({ min: 1, max: 2_000 }), fc.integer({ min: 1, max: 8 })])(
  "what a list lacks after so many more items is these, and some pieces",
  async (length, more) => {
    const before = await kept(messages(length));
    const after = await kept(messages(length + more), new Set(partsOf(before.ref)));
    const items = [...after.parts.values()].filter(({ height }) => height === 0);
    expect(items).toHaveLength(more);
    expect(after.parts.size - items.length).toBeLessThanOrEqual(16);
  },
);

test("a long list is named by a few hashes", async () => {
  const { ref } = await kept(messages(10_000));
  expect(partsOf(ref).length).toBeLessThan(150);
});

test("each level of a list has at most half of what the one below it has", async () => {
  for (let n = 1; n <= 100; n++) {
    for (const item of messages(8)) {
      const { ref } = await kept(Array.from({ length: n }, (_, i) => [item, i]));
      const levels = typeof ref === "object" && "list" in ref ? ref.list.length : 0;
      expect(levels).toBeLessThanOrEqual(Math.floor(Math.log2(n)) + 1);
    }
  }
});

test("a list that lost its first item shares all but a few pieces with what it was", async () => {
  const all = await kept(messages(1_000));
  const rest = await kept(messages(999, 1));
  const fresh = [...rest.parts.keys()].filter((hash) => !all.parts.has(hash));
  expect(rest.parts.size).toBeGreaterThan(999);
  expect(fresh.length).toBeLessThanOrEqual(16);
});

test("items that are all the same are kept once, in pieces that end", async () => {
  const same = Array.from({ length: 5_000 }, () => messages(1)[0]);
  const { parts } = await kept(same);
  expect(parts.size).toBeLessThan(20);
  expect(await backAgain(same)).toEqual(same);
});

test("small values stand where they are named", async () => {
  for (const value of [null, true, 42, "short", [1, 2, 3], []])
    expect((await kept(value)).parts.size).toBe(0);
});

describe("what the serializer knows how to keep, it keeps", () => {
  const values: Record<string, unknown> = {
    undefined: undefined,
    "a map": new Map([["a", { b: 1 }]]),
    "a set in a list": [new Set([1, 2]), "and the rest of it"],
    bytes: new Uint8Array([0, 255, 128]),
    "undefined in a list": [undefined, 1],
    "a record that looks like one of LangChain's": { lc: 2, type: "constructor", id: ["Set"], args: [[1]] },
  };
  test.each(Object.keys(values))("%s", async (name) => {
    expect(await backAgain(values[name])).toEqual(await throughSerde(values[name]));
  });

  test("bytes in a list, which the serializer alone would keep as numbers", async () => {
    expect(await backAgain([new Uint8Array([1, 2])])).toEqual([new Uint8Array([1, 2])]);
  });
});

test("an object that says how it is written as JSON is left to say it", async () => {
  const money = { cents: [1, 2], toJSON: () => "1 and 2" };
  expect(await backAgain(money)).toBe("1 and 2");
});

test("what is changed in place after it was handed over is kept as it was", async () => {
  const list = messages(3);
  const splitting = split({ value: list }, serde);
  list[0] = { id: "another", text: "" };
  (list[1] as { text: string }).text = "changed";
  const { refs, parts } = await splitting;
  expect(await join(refs.value as never, parts, serde)).toEqual(messages(3));
});

test("a value whose part is gone is no value", async () => {
  const { ref } = await kept(messages(1)[0]);
  await expect(join(ref, new Map<string, Part>(), serde)).rejects.toThrow(/names a part/);
});
