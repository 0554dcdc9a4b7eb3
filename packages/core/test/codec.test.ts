import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { canKeep, decode, encode } from "../src/codec.ts";
import { HoldfastError } from "../src/errors.ts";

const again = (value: unknown) => decode(encode(value));

const text = fc.oneof(
  fc.string(),
  fc.string({ unit: "binary" }),
  fc.constantFrom("\0", "\ud800", "devalue:[]"),
);
const key = text.filter((name) => name !== "__proto__"); // refused: see below

/** Whatever one can write down, and what the ledger knows beyond JSON. */
const data = fc.letrec<{ any: unknown }>((tie) => ({
  any: fc.oneof(
    { maxDepth: 4, depthIdentifier: "data" },
    fc.anything({
      key,
      withBigInt: true,
      withDate: true,
      withMap: true,
      withSet: true,
      withSparseArray: true,
      withNullPrototype: true,
    }),
    text,
    fc.constantFrom(undefined, null, NaN, Infinity, -Infinity, 0, -0, "", true),
    fc.bigInt(),
    fc.date({ noInvalidDate: false }),
    fc.uint8Array(),
    fc.webUrl().map((url) => new URL(url)),
    fc.constantFrom(/a+/gi, /\//),
    fc.array(tie("any"), { maxLength: 4 }),
    fc.dictionary(key, tie("any"), { maxKeys: 4 }),
    fc.array(fc.tuple(tie("any"), tie("any")), { maxLength: 4 }).map((pairs) => new Map(pairs)),
    fc.array(tie("any"), { maxLength: 4 }).map((items) => new Set(items)),
  ),
})).any;

test("data comes back as it was", () => {
  fc.assert(
    fc.property(data, (value) => {
      expect(again(value)).toStrictEqual(value);
    }),
    { numRuns: 500 },
  );
});

test("what is kept is text that Postgres takes: without NUL, and well-formed", () => {
  fc.assert(
    fc.property(data, (value) => {
      const encoded = encode(value);
      expect(encoded.includes("\0")).toBe(false);
      expect(encoded.isWellFormed()).toBe(true);
    }),
  );
});

test.each<[string, unknown, string]>([
  ["null", null, "null"],
  ["text", "ok", '"ok"'],
  ["a record", { a: [1, { b: true }] }, '{"a":[1,{"b":true}]}'],
])("%s is kept as JSON that psql can read", (_, value, expected) => {
  expect(encode(value)).toBe(expected);
});

test("text that looks like an encoding is text", () => {
  expect(again('devalue:["x"]')).toBe('devalue:["x"]');
});

test("a value comes back as a copy", () => {
  const value = { list: [1] };
  expect(again(value)).toEqual(value);
  expect(again(value)).not.toBe(value);
});

test("cycles and shared parts come back as such", () => {
  const shared = { n: 1 };
  const value: Record<string, unknown> = { one: shared, other: shared };
  value.self = value;
  const read = again(value) as typeof value;
  expect(read.self).toBe(read);
  expect(read.one).toBe(read.other);
});

describe("an error", () => {
  test("comes back with its name, message, stack, cause and own fields", () => {
    const error = Object.assign(new TypeError("no", { cause: new RangeError("deeper") }), {
      code: "E1",
      status: 502,
    });
    const read = again(error) as typeof error;
    expect(read).toBeInstanceOf(Error);
    expect(read).toMatchObject({ name: "TypeError", message: "no", code: "E1", status: 502 });
    expect(read.stack).toBe(error.stack);
    expect(read.cause).toMatchObject({ name: "RangeError", message: "deeper" });
  });

  test("without a cause has none afterwards", () => {
    expect("cause" in (again(new Error("no")) as Error)).toBe(false);
  });

  test("keeps the marks that frameworks recognise their errors by", () => {
    const mark = Symbol.for("vercel.ai.error");
    const error = Object.assign(new Error("no"), { [mark]: true, [Symbol("own")]: true });
    const read = again(error) as never;
    expect(read[mark]).toBe(true);
    expect(Object.getOwnPropertySymbols(read)).toEqual([mark]);
  });

  test("of our own is recognised afterwards", () => {
    const read = again(new HoldfastError("RUN_NOT_FOUND", { runId: "r" }));
    expect(HoldfastError.is(read, "RUN_NOT_FOUND")).toBe(true);
    expect(read).toMatchObject({ details: { runId: "r" } });
  });

  test("loses fields that are no data, and not itself", () => {
    const error = Object.assign(new Error("no"), { request: () => {}, response: new Response(), status: 1 });
    const read = again(error) as typeof error;
    expect(read).toMatchObject({ message: "no", status: 1 });
    expect(Object.keys(read)).not.toContain("request");
  });

  test("with a cause that is no data keeps the cause's text", () => {
    expect(again(new Error("no", { cause: () => "why" }))).toMatchObject({
      cause: expect.stringContaining("why"),
    });
  });

  test("inside data comes back inside it", () => {
    expect(again({ failed: [new Error("no")] })).toMatchObject({ failed: [{ message: "no" }] });
  });

  test.each<[string, (error: Error & { self?: unknown }) => void]>([
    [
      "its own cause",
      (error) => {
        error.cause = error;
      },
    ],
    [
      "a field of itself",
      (error) => {
        error.self = error;
      },
    ],
    [
      "a part of its own field",
      (error) => {
        error.self = { error };
      },
    ],
  ])("that is %s can be read back", (_, tie) => {
    const error = new Error("round");
    tie(error);
    expect(again(error)).toMatchObject({ message: "round" });
  });
});

class Point {
  x = 1;
}

const hostile: [what: string, value: unknown, path: string][] = [
  ["a function", { a: [0, { b: () => 1 }] }, ".a[1].b"],
  ["a symbol", { a: Symbol("s") }, ".a"],
  ["a class instance", { list: [new Point()] }, ".list[0]"],
  ["a promise", { a: Promise.resolve() }, ".a"],
  ["a weak map", [new WeakMap()], "[0]"],
  ["a field __proto__", { a: JSON.parse('{"__proto__": {"admin": true}}') }, ".a"],
  ["a symbol as a key", { a: { [Symbol("s")]: 1 } }, ".a"],
  ["a function in a map", new Map([["k", () => 1]]), '.get("k")'],
  ["a class instance at the top", new Point(), "the value"],
];

test.each(hostile)("%s cannot be kept, and the error says where it is", (_, value, path) => {
  expect(() => encode(value)).toThrow(
    expect.objectContaining({
      code: "NOT_SERIALIZABLE",
      details: expect.objectContaining({ path: expect.stringContaining(path) }),
    }),
  );
  expect(canKeep(value)).toBe(false);
});

test.each<[string, () => unknown]>([
  [
    "has a getter that throws",
    () => ({
      get secret() {
        throw new Error("no");
      },
    }),
  ],
  ["is a proxy that was revoked", revoked],
  ["is nested deeper than the stack", () => nested(200_000)],
])("a value that %s is refused with NOT_SERIALIZABLE", (_, make) => {
  expect(() => encode(make())).toThrow("(NOT_SERIALIZABLE)");
});

test.each([63, 64, 65, 66, 500])("data that is nested %d deep comes back", (depth) => {
  expect(again(nested(depth))).toStrictEqual(nested(depth));
});

function nested(depth: number): unknown {
  let value: unknown = "core";
  for (let i = 0; i < depth; i++) value = [value];
  return value;
}

function revoked(): unknown {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}

test("whatever is thrown at it, the codec refuses with NOT_SERIALIZABLE or gives it back", () => {
  const anything = fc.anything({ withBoxedValues: true, withObjectString: true, withTypedArray: true });
  fc.assert(
    fc.property(anything, (value) => {
      expect(["kept", "NOT_SERIALIZABLE"]).toContain(tried(value));
    }),
  );
});

function tried(value: unknown): unknown {
  try {
    again(value);
    return "kept";
  } catch (error) {
    return HoldfastError.is(error) ? error.code : error;
  }
}
