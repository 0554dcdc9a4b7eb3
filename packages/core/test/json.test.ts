import fc from "fast-check";
import { expect, test } from "vitest";
import { decode, encode } from "../src/codec.ts";
import { HoldfastError } from "../src/errors.ts";
import { digestOf } from "../src/json.ts";

test("a digest is SHA-256 over canonical JSON, in base64url", () => {
  // printf '{"a":1,"b":[true,null]}' | openssl dgst -sha256 -binary | basenc --base64url
  expect(digestOf({ b: [true, null], a: 1 })).toBe("HMacf6I2Fsouw-5w0kOQpiJciDLbikyBTH4Of5Qvhmg");
});

test("the order of keys does not count, however deep", () => {
  const record = fc.dictionary(fc.string(), fc.dictionary(fc.string(), fc.jsonValue()));
  fc.assert(
    fc.property(record, (value) => {
      const turned = Object.fromEntries(
        Object.entries(value)
          .reverse()
          .map(([key, inner]) => [key, Object.fromEntries(Object.entries(inner).reverse())]),
      );
      expect(digestOf(turned)).toBe(digestOf(value));
    }),
  );
});

test("the order of a list counts", () => {
  expect(digestOf([1, 2])).not.toBe(digestOf([2, 1]));
});

test("a field that is undefined, a function or a symbol is as if it were not there", () => {
  const plain = digestOf({ a: 1 });
  expect(digestOf({ a: 1, b: undefined })).toBe(plain);
  expect(digestOf({ a: 1, b: () => 1 })).toBe(plain);
  expect(digestOf({ a: 1, b: Symbol("b") })).toBe(plain);
});

test("any two JSON values that differ have different digests", () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.jsonValue(), (one, other) => {
      const same = JSON.stringify(sorted(one)) === JSON.stringify(sorted(other));
      expect(digestOf(one) === digestOf(other)).toBe(same);
    }),
    { numRuns: 1000 },
  );
});

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  const fields = Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1));
  return fields.map(([key, field]) => [key, sorted(field)]).concat([["{}", true]]);
}

test.each<[string, unknown, unknown]>([
  ["a number and its text", 1, "1"],
  ["null and the text null", null, "null"],
  ["false and nothing", false, undefined],
  ["an empty list and an empty record", [], {}],
  ["a bigint and a number", 1n, 1],
  ["a bigint and its text", 1n, "1"],
  ["a date and its text", new Date(0), new Date(0).toJSON()],
  ["a date and its number", new Date(0), 0],
  ["two dates", new Date(0), new Date(1)],
  ["a URL and its text", new URL("http://a/"), "http://a/"],
  ["a map and a record", new Map([["a", 1]]), { a: 1 }],
  ["a set and a list", new Set([1]), [1]],
  ["bytes and a list", new Uint8Array([1]), [1]],
  ["bytes and other bytes", new Uint8Array([1]), new Uint8Array([2])],
  ["NaN and null", NaN, null],
  ["NaN and its text", NaN, "NaN"],
  ["two infinities", Infinity, -Infinity],
  ["two halves of surrogate pairs", "\ud800", "\ud801"],
  ["half a surrogate pair and the replacement character", "\ud800", "\ufffd"],
  ["two keys that are halves of surrogate pairs", { "\ud800": 1 }, { "\ud801": 1 }],
  ["two errors", new Error("a"), new Error("b")],
  ["two regular expressions", /a/, /b/],
  ["a regular expression and an empty record", /a/, {}],
  ["a date and a record that looks like one of ours", new Date(0), { $date: 0 }],
  ["a bigint and a record that looks like one of ours", 1n, { $bigint: "1" }],
  ["NaN and a record that looks like one of ours", NaN, { $number: "NaN" }],
  ["a view of bytes and the whole", new Uint8Array([1, 2]).subarray(1), new Uint8Array([1, 2])],
])("%s have different digests", (_, one, other) => {
  expect(digestOf(one)).not.toBe(digestOf(other));
});

test("equal bytes have one digest, in whatever buffer they lie", () => {
  const view = new Uint8Array([9, 1, 2]).subarray(1);
  expect(digestOf(view)).toBe(digestOf(new Uint8Array([1, 2])));
  expect(digestOf(view)).toBe(digestOf(Buffer.from([1, 2])));
});

test("what can say what it is as JSON is asked", () => {
  expect(digestOf({ at: { toJSON: () => ({ a: 1 }) } })).toBe(digestOf({ at: { a: 1 } }));
});

test("a part that occurs twice is no cycle", () => {
  const part = { a: 1 };
  expect(digestOf([part, part])).toBe(digestOf([{ a: 1 }, { a: 1 }]));
});

test("a cycle is refused", () => {
  const value: { self?: unknown } = {};
  value.self = [value];
  expect(() => digestOf(value)).toThrow("(NOT_SERIALIZABLE)");
});

test.each<[string, () => unknown]>([
  ["a date that is none", () => new Date(NaN)],
  ["a key that is half a surrogate pair", () => ({ "\ud800": 1 })],
  ["nesting deeper than the stack", () => deep(100_000)],
])("%s has a digest, or is refused with NOT_SERIALIZABLE", (_, make) => {
  expect(["digested", "NOT_SERIALIZABLE"]).toContain(tried(make()));
});

function deep(levels: number): unknown {
  let value: unknown = 1;
  for (let i = 0; i < levels; i++) value = [value];
  return value;
}

function tried(value: unknown): unknown {
  try {
    digestOf(value);
    return "digested";
  } catch (error) {
    return HoldfastError.is(error) ? error.code : error;
  }
}

const data = fc.anything({
  key: fc.string().filter((key) => key !== "__proto__"),
  withBigInt: true,
  withDate: true,
  withMap: true,
  withSet: true,
});

test("anything has a digest, or is refused with NOT_SERIALIZABLE", () => {
  fc.assert(
    fc.property(data, (value) => {
      expect(["digested", "NOT_SERIALIZABLE"]).toContain(tried(value));
    }),
    { numRuns: 500 },
  );
});

test("what the ledger gives back has the digest of what was put in", () => {
  fc.assert(
    fc.property(data, (value) => {
      fc.pre(tried(value) === "digested");
      expect(digestOf(decode(encode(value)))).toBe(digestOf(value));
    }),
    { numRuns: 500 },
  );
});
