import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { digestOf, hashOf } from "../src/json.ts";
import { RequestMemo } from "../src/request.ts";

const long = (text: string) => text.padEnd(200, ".");
const digestOfFresh = (request: Record<string, unknown>) => new RequestMemo().ask(request).digest;

const leaf = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.string({ minLength: 130, maxLength: 160 }),
  fc.double(),
  fc.boolean(),
  fc.constantFrom(null, undefined, "\ud800", 1n, -0, Number.NaN),
  fc.date(),
  fc.uint8Array({ maxLength: 4 }),
  fc.constantFrom(new URL("https://a.example/"), new Map([["a", 1]]), new Set([1]), /a/g, () => 1),
);
const keys = fc.oneof(
  fc.string(),
  fc.constantFrom(
    "role",
    "content",
    "$date",
    "$$",
    "$",
    "toJSON",
    "\ud800",
    "__proto__",
    "constructor",
    "length",
  ),
);
const { message } = fc.letrec((tie) => ({
  message: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    leaf,
    fc.array(tie("message"), { maxLength: 3 }),
    fc
      .array(fc.tuple(keys, tie("message")), { maxLength: 4 })
      .map((fields) => Object.fromEntries(fields.filter(([, field]) => typeof field !== "function"))),
  ),
}));

/** What is done to a conversation between two calls of a model. */
const mutation = fc.oneof(
  fc.record({ does: fc.constant("grow" as const), with: fc.array(message, { maxLength: 3 }) }),
  fc.record({ does: fc.constant("cut" as const), to: fc.nat(8) }),
  fc.record({ does: fc.constant("slide" as const), by: fc.nat(3) }),
  fc.record({ does: fc.constant("replace" as const), at: fc.nat(8), with: message }),
  fc.record({ does: fc.constant("edit" as const), at: fc.nat(8), key: keys, with: message }),
  fc.record({ does: fc.constant("drop" as const), at: fc.nat(8) }),
  fc.record({ does: fc.constant("turn" as const) }),
  fc.record({ does: fc.constant("repeat" as const), at: fc.nat(8) }),
  fc.record({ does: fc.constant("swap" as const), with: message }),
);
type Mutation = typeof mutation extends fc.Arbitrary<infer M> ? M : never;

function mutate(request: { messages: unknown[]; options: unknown }, by: Mutation): void {
  const { messages } = request;
  switch (by.does) {
    case "grow":
      messages.push(...by.with);
      break;
    case "cut":
      messages.length = Math.min(messages.length, by.to);
      break;
    case "slide":
      messages.splice(0, by.by);
      break;
    case "replace":
      if (by.at < messages.length) messages[by.at] = by.with;
      break;
    case "edit":
    case "drop": {
      const field = messages[by.at];
      if (!Array.isArray(field) && Object.prototype.toString.call(field) !== "[object Object]") break;
      if (Array.isArray(field)) {
        if (by.does === "drop") field.pop();
        else field.push(by.with);
      } else {
        const record = field as Record<string, unknown>;
        if (by.does === "drop") delete record[Object.keys(record)[0] ?? ""];
        else Object.defineProperty(record, by.key, { ...plainField, value: by.with });
      }
      break;
    }
    case "turn":
      messages.reverse();
      break;
    case "repeat":
      if (by.at < messages.length) messages.push(messages[by.at]);
      break;
    case "swap":
      request.options = by.with;
  }
}
const plainField = { enumerable: true, configurable: true, writable: true };

/** A message that has become part of itself has no digest. */
const isWhole = (request: Record<string, unknown>) => {
  try {
    digestOf(request);
    return true;
  } catch {
    return false;
  }
};

describe("what a model is asked", () => {
  test("has the digest that it has without a memory, whatever was asked before and done to it since", () => {
    fc.assert(
      fc.property(
        fc.array(message, { maxLength: 6 }),
        fc.array(mutation, { maxLength: 12 }),
        (first, all) => {
          const memo = new RequestMemo();
          const request = { messages: [...first], options: first[0] };
          for (const by of [undefined, ...all]) {
            if (by) mutate(request, by);
            if (!isWhole(request)) return;
            const asked = memo.ask(request);
            expect(asked.digest).toBe(digestOfFresh(request));
            if (all.length % 2 === 0) asked.kept();
          }
        },
      ),
      { numRuns: 1500 },
    );
  });

  test.each<[string, (messages: { parts: unknown[] }[]) => void]>([
    ["a text was changed in", (messages) => (messages[0] = { parts: ["b"] })],
    ["a part was added in place to", (messages) => messages[0]?.parts.push("b")],
    ["a part was taken from", (messages) => (messages[0] as { parts: unknown[] }).parts.pop()],
    [
      "what says itself otherwise as JSON was made of a message of",
      (messages) => Object.assign(messages[0] ?? {}, { toJSON: () => "b" }),
    ],
    ["the order was turned of", (messages) => messages.reverse()],
    ["a message was added to", (messages) => messages.push({ parts: [] })],
    ["the last message was cut from", (messages) => messages.pop()],
    ["the first message slid out of", (messages) => messages.shift()],
  ])("is something else once %s the conversation", (_, change) => {
    const memo = new RequestMemo();
    const messages = [{ parts: ["a"] }, { parts: [1] }];
    const before = memo.ask({ messages }).digest;
    change(messages);
    expect(memo.ask({ messages }).digest).not.toBe(before);
  });

  test("has the digest that it has without a memory also where an item of a list was deleted", () => {
    const memo = new RequestMemo();
    const parts = ["a", "b"];
    memo.ask({ messages: [{ parts }] });
    Reflect.deleteProperty(parts, 0);
    expect(memo.ask({ messages: [{ parts }] }).digest).toBe(digestOfFresh({ messages: [{ parts }] }));
  });

  test.each<[string, unknown, unknown]>([
    ["a date", new Date(0), { $date: "0" }],
    ["bytes", new Uint8Array([1]), { $bytes: hashOf(new Uint8Array([1])) }],
    ["a bigint", 1n, { $bigint: "1" }],
    ["a key that begins with $", { $a: 1 }, { $$a: 1 }],
    ["a field, by one called __proto__", { a: 1 }, JSON.parse('{"__proto__":{}}')],
  ])("is something else once what looks like it stands in the place of %s", (_, one, other) => {
    const memo = new RequestMemo();
    memo.ask({ messages: [one], last: one });
    const request = { messages: [other], last: other };
    expect(memo.ask(request).digest).toBe(digestOfFresh(request));
  });

  test.each<[string, object, object]>([
    ["a list of one and its item", { a: [1] }, { a: 1 }],
    ["a list in a list and the list", { a: [[1, 2]] }, { a: [1, 2] }],
    ["an empty list and nothing", { a: [] }, {}],
    ["a list and the text of it", { a: ["b"] }, { a: '["b"]' }],
    ["fields and the same under another name", { a: "x" }, { b: "x" }],
    ["a long text and another", { a: long("x") }, { a: long("y") }],
    ["a field called __proto__ and none", JSON.parse('{"__proto__":{"a":1}}'), {}],
    ["half a surrogate pair as a field's name and another", { "\ud800": 1 }, { "\ud801": 1 }],
  ])("differs where it is %s", (_, one, other) => {
    expect(digestOfFresh({ ...ownFields(one) })).not.toBe(digestOfFresh(ownFields(other)));
  });

  test.each<[string, object, object]>([
    ["the order of its fields is another", { a: 1, b: [2] }, { b: [2], a: 1 }],
    ["a field is undefined", { a: 1, b: undefined }, { a: 1 }],
    ["a field is a function", { a: 1, b: () => 1 }, { a: 1 }],
    ["a field is a symbol", { a: 1, b: Symbol("b") }, { a: 1 }],
    ["a field says as JSON that it is nothing", { a: 1, b: { toJSON: () => undefined } }, { a: 1 }],
  ])("is the same where %s", (_, one, other) => {
    expect(digestOfFresh(ownFields(one))).toBe(digestOfFresh(ownFields(other)));
  });

  test("is refused where it has a cycle, and the next one is not disturbed by that", () => {
    const memo = new RequestMemo();
    const message: { self?: unknown } = {};
    message.self = message;
    expect(() => memo.ask({ messages: [1, message] })).toThrow("(NOT_SERIALIZABLE)");
    expect(memo.ask({ messages: [1, 2] }).digest).toBe(digestOfFresh({ messages: [1, 2] }));
  });
});

/** A record as a caller would have it: a key that is `__proto__` is one. */
const ownFields = (value: object) => value as Record<string, unknown>;

/** What a ledger would hold, were it given these blobs. */
function keeper() {
  const kept = new Map<string, string>();
  const keep = (blobs: readonly { hash: string; value: string }[]) => {
    for (const { hash, value } of blobs) if (!kept.has(hash)) kept.set(hash, value);
  };
  /** The items of a list, by what is kept. Throws where a part is missing. */
  const read = (hash: string): string[] => {
    const node = kept.get(hash);
    if (node === undefined) throw new Error(`missing: ${hash}`);
    const { after, items } = JSON.parse(node) as { after: string | null; items: string[] };
    for (const item of items) if (!kept.has(item)) throw new Error(`missing: ${item}`);
    return [...(after === null ? [] : read(after)), ...items];
  };
  return { kept, keep, read };
}

const listOf = (asked: { request: object }): string =>
  (asked.request as { messages: { list: string } }).messages.list;

describe("the parts of a request that are not kept yet", () => {
  test("are its messages and the list of them", () => {
    const asked = new RequestMemo().ask({ messages: ["a", { b: 1 }] });
    expect(asked.blobs().map(({ value }) => value)).toEqual([
      '"a"',
      '{"b":1}',
      JSON.stringify({ after: null, items: [digestOf("a"), digestOf({ b: 1 })] }),
    ]);
  });

  test("are none once they are kept", () => {
    const memo = new RequestMemo();
    const asked = memo.ask({ messages: [long("a")], system: long("b") });
    expect(asked.blobs()).toHaveLength(3);
    asked.kept();
    expect(asked.blobs().filter(({ hash }) => hash !== listOf(asked))).toEqual([]);
    expect(memo.ask({ messages: [long("a")], system: long("b") }).blobs()).toEqual([]);
  });

  test("are what is new, and a list that goes on from the kept one", () => {
    const memo = new RequestMemo();
    const first = memo.ask({ messages: ["a", "b"] });
    first.kept();
    const second = memo.ask({ messages: ["a", "b", "c"] });
    expect(second.blobs()).toEqual([
      { hash: digestOf("c"), value: '"c"' },
      { hash: listOf(second), value: JSON.stringify({ after: listOf(first), items: [digestOf("c")] }) },
    ]);
  });

  test("are offered again where they were not kept: the call failed", () => {
    const memo = new RequestMemo();
    const failed = memo.ask({ messages: [long("a")], system: long("b") });
    const again = memo.ask({ messages: [long("a")], system: long("b") });
    expect(again.blobs()).toEqual(failed.blobs());
    const longer = memo.ask({ messages: [long("a"), "c"], system: long("b") });
    const { read, keep, kept } = keeper();
    keep(longer.blobs());
    expect(read(listOf(longer))).toEqual([digestOf(long("a")), digestOf("c")]);
    expect(kept.has(digestOf(long("b")))).toBe(true);
  });

  test("do not include what stands in the entry itself, nor what is nothing", () => {
    const asked = new RequestMemo().ask({ temperature: 0, none: undefined, call: () => 1, stop: [] });
    expect(asked.blobs()).toEqual([]);
    expect(asked.request).toEqual({ $call: { is: "" }, temperature: { is: 0 }, stop: { is: [] } });
  });

  test("include the bytes in them, however short the rest", () => {
    const asked = new RequestMemo().ask({ image: new Uint8Array([1, 2, 3]) });
    expect(asked.blobs().map(({ value }) => value)).toEqual([
      expect.stringMatching(/^\{"\$bytes":/),
      Buffer.from([1, 2, 3]).toString("base64"),
    ]);
  });

  test("are not the messages of a window that slides, but for the new one", () => {
    const memo = new RequestMemo();
    memo.ask({ messages: [long("a"), long("b"), long("c")] }).kept();
    const slid = memo.ask({ messages: [long("b"), long("c"), long("d")] }).blobs();
    expect(slid.map(({ hash }) => hash)).toContain(digestOf(long("d")));
    expect(slid.map(({ hash }) => hash)).not.toContain(digestOf(long("b")));
    expect(slid.map(({ hash }) => hash)).not.toContain(digestOf(long("c")));
  });

  test("are with what is kept always all there is of the request, whichever calls fail", () => {
    fc.assert(
      fc.property(
        fc.array(message, { maxLength: 4 }),
        fc.array(fc.tuple(mutation, fc.boolean()), { maxLength: 12 }),
        (first, all) => {
          const [memo, ledger] = [new RequestMemo(), keeper()];
          const request = { messages: [...first], options: first[0] };
          for (const [by, ok] of all) {
            mutate(request, by);
            if (!isWhole(request)) return;
            const asked = memo.ask(request);
            if (!ok) continue;
            ledger.keep(asked.blobs());
            asked.kept();
            const missing = Object.entries(asked.request).filter(([name, field]) => {
              if ("list" in field)
                return ledger.read(field.list).length !== request[name as "messages"].length;
              return "blob" in field && !ledger.kept.has(field.blob);
            });
            expect(missing).toEqual([]);
          }
        },
      ),
      { numRuns: 1000 },
    );
  });
});
