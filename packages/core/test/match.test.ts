import fc from "fast-check";
import { expect, test } from "vitest";
import type { Place } from "../src/ledger/replay.ts";
import { type Match, matchLane, matchPlace } from "../src/step/match.ts";

/** `a0 b1` is a row with a at place 0 and b at place 1; a `|` marks a place that was open beside another. */
const row = (text: string): Place[] =>
  text
    .split(" ")
    .filter(Boolean)
    .map((word) => ({ digest: word.charAt(0), n: Number(word.charAt(1)), parallel: word.endsWith("|") }));

const numbers = (text: string) => new Set(text.split("").map(Number));

type Row = [why: string, recorded: string, taken: string, open: number, asked: string, expected: Match];

test.each<Row>([
  ["nothing is on record", "", "", 0, "a", { at: "new", n: 0 }],
  ["the question is on record at its place", "a0 b1", "", 0, "a", { at: "record", n: 0 }],
  ["the second question is on record at its place", "a0 b1", "0", 0, "b", { at: "record", n: 1 }],
  ["the same question was asked twice", "a0 a1", "0", 0, "a", { at: "record", n: 1 }],
  ["the question stands further on", "a0 b1", "", 0, "b", { at: "record", n: 1 }],
  ["the question stands further on, in a parallel row", "a0| b1|", "", 0, "b", { at: "record", n: 1 }],
  ["another question is at its place", "a0", "", 0, "x", { at: "drift", n: 0 }],
  ["another question is at its place, after one that fits", "a0 b1", "0", 0, "x", { at: "drift", n: 1 }],
  ["everything on record is taken", "a0 b1", "01", 0, "x", { at: "new", n: 2 }],
  ["the only record that fits is taken", "a0", "0", 0, "a", { at: "new", n: 1 }],
  ["the record ends before its place, with calls open", "a0", "0", 1, "x", { at: "new", n: 1 }],
  ["another call is open, and its place asked something else", "a0 b1", "0", 1, "x", { at: "unclear" }],
  ["its place was open beside others, and asked something else", "a0| b1|", "", 0, "x", { at: "unclear" }],
  ["a call further on was taken first", "a0| b1|", "1", 0, "a", { at: "record", n: 0 }],
  ["its place is a hole in the record", "b1", "", 0, "x", { at: "new", n: 0 }],
  ["its place is a hole, and the question stands further on", "b1", "", 0, "b", { at: "record", n: 1 }],
])("a call: %s", (_, recorded, taken, open, asked, expected) => {
  expect(matchPlace({ recorded: row(recorded), taken: numbers(taken), open }, asked)).toEqual(expected);
});

test.each<Row>([
  ["nothing is on record", "", "", 1, "a", { at: "new", n: 0 }],
  ["it begins as the one on record did", "a0", "", 1, "a", { at: "record", n: 0 }],
  ["it begins as a later one did", "a0 b1", "", 1, "b", { at: "record", n: 1 }],
  ["two began the same way, the first is taken", "a0 a1", "0", 1, "a", { at: "record", n: 1 }],
  ["it begins otherwise, alone", "a0", "", 0, "x", { at: "drift", n: 0 }],
  ["it begins otherwise, alone, the first is taken", "a0 b1", "0", 0, "x", { at: "drift", n: 1 }],
  ["it begins otherwise, beside another", "a0 b1", "", 2, "x", { at: "unclear" }],
  ["it begins otherwise, where lanes on record overlapped", "a0| b1|", "", 1, "x", { at: "unclear" }],
  ["all on record are taken", "a0 b1", "01", 2, "x", { at: "new", n: 2 }],
  ["all on record are taken, and more is taken", "a0", "01", 1, "a", { at: "new", n: 2 }],
  ["it fits, beside others", "a0| b1|", "", 5, "b", { at: "record", n: 1 }],
])("a lane: %s", (_, recorded, taken, open, asked, expected) => {
  expect(matchLane({ recorded: row(recorded), taken: numbers(taken), open }, asked)).toEqual(expected);
});

const digests = fc.uniqueArray(fc.string({ minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 12 });

/** Records of calls that ran side by side, and an order in which another execution asks them again. */
const permuted = digests.chain((asked) =>
  fc.record({
    recorded: fc.constant(asked.map((digest, n): Place => ({ digest, n, parallel: true }))),
    order: fc.shuffledSubarray(asked, { minLength: 0 }),
    open: fc.nat(3),
  }),
);

test.each([
  ["call", matchPlace],
  ["lane", matchLane],
])("each %s of several side by side finds its own record, in whatever order it asks", (_, match) => {
  fc.assert(
    fc.property(permuted, ({ recorded, order, open }) => {
      const taken = new Set<number>();
      for (const digest of order) {
        const found = match({ recorded, taken, open }, digest);
        expect(found).toEqual({ at: "record", n: recorded.find((place) => place.digest === digest)?.n });
        if (found.at !== "unclear") taken.add(found.n);
      }
    }),
  );
});

const anyRow = fc
  .uniqueArray(fc.record({ n: fc.nat(8), digest: fc.constantFrom("a", "b", "c"), parallel: fc.boolean() }), {
    selector: ({ n }) => n,
  })
  .map((places) => places.sort((one, other) => one.n - other.n));

test.each([
  ["calls", matchPlace],
  ["lanes", matchLane],
])("two %s never get one place", (_, match) => {
  fc.assert(
    fc.property(
      anyRow,
      fc.array(fc.record({ digest: fc.constantFrom("a", "b", "c", "x"), open: fc.nat(2) }), {
        maxLength: 12,
      }),
      (recorded, asked) => {
        const taken = new Set<number>();
        for (const { digest, open } of asked) {
          const found = match({ recorded, taken, open }, digest);
          if (found.at === "unclear") continue;
          expect(taken.has(found.n)).toBe(false);
          taken.add(found.n);
        }
      },
    ),
  );
});

test.each([
  ["call", matchPlace],
  ["lane", matchLane],
])("a %s is never given a record of another question while its own is free", (_, match) => {
  fc.assert(
    fc.property(anyRow, fc.constantFrom("a", "b", "c"), fc.nat(2), (recorded, digest, open) => {
      const found = match({ recorded, taken: new Set(), open }, digest);
      const own = recorded.some((place) => place.digest === digest);
      const given = found.at === "record" && recorded.find(({ n }) => n === found.n)?.digest;
      expect(given).toBe(own && digest);
    }),
  );
});

test.each([
  ["call", matchPlace],
  ["lane", matchLane],
])("a new %s never gets a place that is on record", (_, match) => {
  fc.assert(
    fc.property(anyRow, fc.uniqueArray(fc.nat(10)), fc.nat(2), (recorded, taken, open) => {
      const found = match({ recorded, taken: new Set(taken), open }, "x");
      expect(found.at === "new" && recorded.some(({ n }) => n === found.n)).toBe(false);
    }),
  );
});
