import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  businessKey,
  emittedKey,
  idempotencyKeyOf,
  laneName,
  lanePath,
  lanesAlong,
  MODEL,
  parseKey,
  placeKey,
  rowName,
} from "../src/ledger/key.ts";

const hostile = [
  "",
  "a/b",
  "a#1",
  "a:b",
  "a.0",
  ".",
  "a=b",
  "100%",
  "%2F",
  "%20",
  "two words",
  "line\nbreak",
  "🦀",
  "\ud800",
  "a\udfff",
  "\ufffd",
  "model",
  "%6Dodel",
  "__proto__",
];

const names = fc.oneof(fc.constantFrom(...hostile), fc.string({ unit: "binary" }), lonely());
const wellFormed = names.filter((name) => name.isWellFormed());
const places = fc.nat(1000);

/** Strings with halves of surrogate pairs in them. */
function lonely() {
  return fc
    .array(fc.constantFrom("\ud800", "\udbff", "\udc00", "\udfff", "a", "/"), { minLength: 1, maxLength: 4 })
    .map((units) => units.join(""));
}

const lanes = fc.array(fc.tuple(names, places), { maxLength: 4 });
const pathOf = (lane: readonly (readonly [string, number])[]) =>
  lane.reduce((path, [name, n]) => lanePath(path, name, n), "");

test.each(hostile)("the place of a call named %j is read back", (name) => {
  const lane = lanePath("", "agent", 1);
  expect(parseKey(placeKey(lane, rowName(name), 7))).toEqual({
    lane,
    place: { name: rowName(name), n: 7 },
    emitter: undefined,
  });
});

test.each(hostile)("a tool call named %j leads back to the model call that asked for it", (name) => {
  const model = placeKey(lanePath("", "agent", 1), MODEL, 2);
  expect(parseKey(emittedKey(model, name, name))).toEqual({
    lane: "agent.1",
    place: undefined,
    emitter: model,
  });
});

test.each(hostile)("a business key %j is in no lane and no row", (name) => {
  expect(parseKey(businessKey(name, name))).toEqual({ lane: "", place: undefined, emitter: undefined });
});

test("the lanes of any path are read back, in order", () => {
  fc.assert(
    fc.property(lanes, (lane) => {
      expect(lanesAlong(pathOf(lane)).map(({ name, n }) => [name, n])).toEqual(
        lane.map(([name, n]) => [laneName(name), n]),
      );
    }),
  );
});

test("each lane of a path knows its own path and its parent's", () => {
  fc.assert(
    fc.property(lanes, (lane) => {
      for (const [i, { path, parent }] of lanesAlong(pathOf(lane)).entries()) {
        expect([parent, path]).toEqual([pathOf(lane.slice(0, i)), pathOf(lane.slice(0, i + 1))]);
      }
    }),
  );
});

test("a tool's body, a model call and a business key are no lanes", () => {
  fc.assert(
    fc.property(names, names, places, (name, id, n) => {
      const bodies = [emittedKey("model#0", name, id), placeKey("", rowName(name), n), businessKey(name, id)];
      for (const body of bodies) {
        expect(lanesAlong(lanePath(body, "sub", 0))).toEqual([
          { path: `${body}/sub.0`, parent: body, name: "sub", n: 0 },
        ]);
      }
    }),
  );
});

describe("two that differ never share a key", () => {
  const lane = fc.array(fc.tuple(wellFormed, places), { maxLength: 3 });
  const place = fc.record({ lane, name: wellFormed, n: places });
  const emitted = fc.record({ lane, n: places, name: wellFormed, id: wellFormed });
  const business = fc.record({ name: wellFormed, key: wellFormed });
  const keyed = <T>(one: fc.Arbitrary<T>, key: (value: T) => string) =>
    one.map((value) => ({ said: JSON.stringify(value), key: key(value) }));

  const ofPlaces = keyed(place, ({ lane, name, n }) => placeKey(pathOf(lane), rowName(name), n));
  const ofTools = keyed(emitted, ({ lane, n, name, id }) =>
    emittedKey(placeKey(pathOf(lane), MODEL, n), name, id),
  );
  const ofBusiness = keyed(business, ({ name, key }) => businessKey(name, key));

  test.each([
    ["of a row's places", ofPlaces],
    ["of the tool calls that models asked for", ofTools],
    ["of business keys", ofBusiness],
  ])("%s", (_, any) => {
    fc.assert(
      fc.property(any, any, (one, other) => {
        expect(one.key === other.key).toBe(one.said === other.said);
      }),
      { numRuns: 1000 },
    );
  });

  test("of different kinds", () => {
    fc.assert(
      fc.property(ofPlaces, ofTools, ofBusiness, (...three) => {
        expect(new Set(three.map(({ key }) => key)).size).toBe(3);
      }),
    );
  });

  test("of names that are not well-formed text", () => {
    const keys = ["\ud800", "\udfff", "\ufffd"].map((name) => placeKey("", rowName(name), 0));
    expect(new Set(keys).size).toBe(3);
  });

  test("of a step that is named model and a model call", () => {
    expect(placeKey("", rowName(MODEL), 0)).not.toBe(placeKey("", MODEL, 0));
  });
});

test("an idempotency key is one run's and one step's", () => {
  const step = fc.tuple(names, names);
  fc.assert(
    fc.property(step, step, (one, other) => {
      fc.pre(JSON.stringify(one) !== JSON.stringify(other));
      expect(idempotencyKeyOf(...one)).not.toBe(idempotencyKeyOf(...other));
    }),
    { numRuns: 1000 },
  );
});

test("an idempotency key is the same every time, and fits into a header", () => {
  fc.assert(
    fc.property(wellFormed, wellFormed, (run, step) => {
      expect(idempotencyKeyOf(run, step)).toBe(idempotencyKeyOf(run, step));
      expect(idempotencyKeyOf(run, step)).toMatch(/^hf_[\w-]{43}$/);
    }),
  );
});
