import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { expect, test } from "vitest";
import { canonicalOf, fromPlain, toPlain } from "../src/json.ts";

/** Through JSON, as the ledger keeps it, and back. */
function back(value: unknown, text: (plain: unknown) => string = JSON.stringify): unknown {
  const bytes = new Map<string, Uint8Array>();
  const plain = JSON.parse(text(toPlain(value, (hash, part) => bytes.set(hash, new Uint8Array(part)))));
  return fromPlain(plain, (hash) => bytes.get(hash) ?? new Uint8Array([255, 255]));
}

const texts = fc.oneof(
  fc.string(),
  fc.string({ unit: "binary" }),
  fc.constantFrom("\ud800", "a\udfffb", "\0"),
);
const hostile = fc.constantFrom(
  "$",
  "$$",
  "$$$date",
  "$date",
  "$bytes",
  "$map",
  "$utf16",
  "$utf16:AA",
  "$$utf16:AA",
  "\ud800",
  "$\ud800",
  "\udfff$",
  "__proto__",
  "constructor",
  "toJSON",
  "",
);
const { data } = fc.letrec((tie) => ({
  data: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    texts,
    fc.double().filter((n) => !Object.is(n, -0)), // JSON has one zero
    fc.boolean(),
    fc.constant(null),
    fc.bigInt(),
    fc.date({ noInvalidDate: false }),
    fc.uint8Array({ maxLength: 5 }),
    fc.constantFrom(new URL("https://a.example/b?c#d"), /a\/b/giu, /\n/),
    fc.array(tie("data"), { maxLength: 4 }),
    // Two keys that are equal and not the same are more than isDeepStrictEqual can tell apart.
    fc
      .array(fc.tuple(fc.oneof(texts, fc.bigInt(), fc.integer()), tie("data")), { maxLength: 3 })
      .map((entries) => new Map(entries)),
    // The same holds for two members of a set.
    fc
      .uniqueArray(tie("data"), { maxLength: 3, comparator: isDeepStrictEqual })
      .map((items) => new Set(items)),
    fc
      .array(fc.tuple(fc.oneof(texts, hostile), tie("data")), { maxLength: 4 })
      .map((fields) => Object.fromEntries(fields)),
  ),
}));

test.each<[string, (plain: unknown) => string]>([
  ["as an entry's body has it", JSON.stringify],
  ["in canonical form, as a blob has it", canonicalOf],
])("data comes back as it was, with dates, bytes, maps, sets, bigints and hostile keys, %s", (_, text) => {
  fc.assert(
    fc.property(data, (value) => {
      expect(isDeepStrictEqual(back(value, text), value)).toBe(true);
    }),
    { numRuns: 2000 },
  );
});

test.each<[string, unknown, unknown]>([
  ["a field that is undefined is dropped", { a: 1, b: undefined }, { a: 1 }],
  ["a function is dropped", { a: 1, b: () => 1 }, { a: 1 }],
  ["nothing in a list is null", [undefined, () => 1], [null, null]],
  ["a buffer is bytes", Buffer.from([1, 2]), new Uint8Array([1, 2])],
  ["a view is the bytes that it shows", new Uint8Array([9, 1, 2]).subarray(1), new Uint8Array([1, 2])],
  ["a buffer of an array is bytes", new Uint8Array([1]).buffer, new Uint8Array([1])],
  ["what can say what it is as JSON is that", { toJSON: () => ({ a: new Date(0) }) }, { a: new Date(0) }],
])("%s", (_, value, expected) => {
  expect(back(value)).toStrictEqual(expected);
});

test("a map comes back with keys that are records", () => {
  const map = new Map([[{ at: new Date(0) }, new Set([1n])]]);
  expect(back(map)).toStrictEqual(map);
});

test("an error comes back as its name and message", () => {
  const read = back(new RangeError("too far")) as Error;
  expect(read).toBeInstanceOf(Error);
  expect([read.name, read.message]).toEqual(["RangeError", "too far"]);
});

test("a record that looks like one of ours is a record", () => {
  const records = [
    { $date: "0" },
    { $bytes: "x" },
    { $map: [] },
    { $unknown: 1 },
    { "$utf16:AA": 1 },
    { $utf16: "AA" },
  ];
  for (const record of records) expect(back(record)).toStrictEqual(record);
});
