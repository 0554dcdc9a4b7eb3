import { fc, test as forAll } from "@fast-check/vitest";
import { describe, expect, test, vi } from "vitest";
import { type Holdfast, HoldfastError, type HoldfastOptions, step } from "../src/index.ts";
import { useHoldfast } from "./opened.ts";
import { newId } from "./store.ts";

vi.setConfig({ testTimeout: 30_000 }); // each opens two Holdfasts, and busy machines take their time
const { open } = useHoldfast();

/** What a tool's caller gets: its value, or the code it is refused with. */
type Said = { readonly value: unknown } | { readonly code: string; readonly path: unknown };

/**
 * A once-only tool gives something in a run that then fails, and that is run again by another Holdfast to its end. Gives
 * back what its caller got, live and from the record, and how often it was called.
 */
async function givenTwice(make: () => unknown, options: HoldfastOptions = {}) {
  const runId = newId();
  const said: Said[] = [];
  let calls = 0;
  const work = async () => {
    const body = () => {
      calls++;
      return make();
    };
    const got = await step("tool", body).then(
      (value): Said => ({ value }),
      (error: unknown): Said => {
        if (!HoldfastError.is(error)) throw error;
        return { code: error.code, path: (error.details as { path?: unknown }).path };
      },
    );
    said.push(got);
    expect(await step("next", () => "the run goes on")).toBe("the run goes on");
    if (said.length === 1) throw new Error("later");
    return "ended";
  };
  const once = async (hf: Holdfast) => {
    const value = await hf.run(runId, work).catch((error: Error) => error.message);
    await hf.close();
    return value;
  };
  expect(await once(await open(options))).toBe("later");
  expect(await once(await open(options))).toBe("ended");
  return { live: said[0], recorded: said[1], calls };
}

class Account {
  readonly #owner = "ana";
  get owner() {
    return this.#owner;
  }
}
const cyclic: { self?: unknown; list: unknown[] } = { list: [] };
cyclic.self = cyclic;
cyclic.list.push(cyclic);

describe("a value that is data, however odd, comes back from the record as it was live:", () => {
  test.each<[string, unknown]>([
    ["a cycle", cyclic],
    ["NUL and lone surrogates", { "a\0": "\0\ud800", "\udfff": ["\0"] }],
    ["NaN, -0 and undefined", [Number.NaN, -0, undefined]],
    ["a map of sets of dates", new Map([[new Date(0), new Set([new Date(Number.NaN)])]])],
    ["bytes and a bigint", [new Uint8Array([0, 255]), 2n ** 70n]],
    ["a record without a prototype", Object.assign(Object.create(null), { a: 1 })],
    ["a sparse array", Object.assign(new Array(3), { 0: 1, 2: 3 })],
    ["a string of five megabytes", "🪸".repeat(1_250_000)],
  ])("%s", async (_, value) => {
    const { live, recorded, calls } = await givenTwice(() => value);
    expect(live).toEqual({ value });
    expect(recorded).toEqual(live);
    expect(calls).toBe(1);
  });
});

describe("a value that is none is refused by the place it stands at, is not asked for again, and stops no run:", () => {
  test.each<[string, () => unknown, string]>([
    ["a function", () => ({ a: [{ b: () => {} }] }), ".a[0].b"],
    ["a symbol", () => ({ a: Symbol("s") }), ".a"],
    ["an instance of a class", () => [new Account()], "[0]"],
    ["a proxy that throws", () => hostileProxy(), "the value"],
    [
      "a getter that throws",
      () => ({
        get a(): never {
          throw new Error("no");
        },
      }),
      "the value",
    ],
    ["a promise in a record", () => ({ a: { b: Promise.resolve(1) } }), ".a.b"],
    ["a WeakMap", () => new Map([["k", new WeakMap()]]), '.get("k")'],
  ])("%s", async (_, make, path) => {
    const { live, recorded, calls } = await givenTwice(make);
    expect(live).toEqual({ code: "NOT_SERIALIZABLE", path });
    expect(recorded).toEqual(live);
    expect(calls).toBe(1);
  });

  test("fifty megabytes", async () => {
    const { live, recorded, calls } = await givenTwice(() => "x".repeat(50_000_000));
    expect(live).toMatchObject({ code: "OUTPUT_TOO_LARGE" });
    expect(recorded).toEqual(live);
    expect(calls).toBe(1);
  });

  test("one byte more than was allowed, but not what was allowed", async () => {
    const options = { maxOutputBytes: 2000 };
    expect((await givenTwice(() => "x".repeat(1998), options)).live).toMatchObject({
      value: expect.any(String),
    });
    expect((await givenTwice(() => "x".repeat(1999), options)).live).toMatchObject({
      code: "OUTPUT_TOO_LARGE",
    });
  });
});

forAll.prop(
  [
    fc.anything({
      withBigInt: true,
      withDate: true,
      withMap: true,
      withSet: true,
      withTypedArray: true,
      withSparseArray: true,
    }),
  ],
  { numRuns: 12 },
)(
  "anything comes back the same, or is refused the same, and is called once",
  async (value) => {
    const { live, recorded, calls } = await givenTwice(() => value);
    expect(recorded).toEqual(live);
    expect(calls).toBe(1);
  },
  60_000,
);

function hostileProxy(): object {
  const refuse = () => {
    throw new Error("keep out");
  };
  return new Proxy(
    {},
    { get: (_, name) => (name === "then" ? undefined : refuse()), ownKeys: refuse, getPrototypeOf: refuse },
  );
}
