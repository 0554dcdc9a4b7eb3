import { fc, test as property } from "@fast-check/vitest";
import { describe, expect, test } from "vitest";
import { type Change, redo, watch } from "../src/context.ts";

/** What a change of a context is recorded as. */
async function changeOf(context: object, change: () => unknown): Promise<Change | undefined> {
  return (await watch(context, async () => await change())).change;
}

const json = fc
  .jsonValue({ maxDepth: 4, noUnicodeString: false })
  .filter((value) => !JSON.stringify(value).includes("__proto__"));
const record = fc.dictionary(
  fc.string().filter((name) => name !== "__proto__"),
  json,
);

describe("a change of a context", () => {
  property.prop([record, record])("made again, it gives what the tool left", async (before, after) => {
    const context = structuredClone(before);
    const change = await changeOf(context, () => {
      for (const name of Object.keys(context)) delete context[name];
      Object.assign(context, structuredClone(after));
    });
    const anew = structuredClone(before);
    if (change) redo(anew, structuredClone(change));
    expect(anew).toEqual(after);
  });

  test.each<[what: string, before: object, change: (context: never) => void]>([
    ["an item more", { cart: ["a"] }, ({ cart }: { cart: string[] }) => void cart.push("b")],
    ["an item less", { cart: ["a", "b", "c"] }, ({ cart }: { cart: string[] }) => void cart.splice(0, 2)],
    ["a field gone", { a: 1, b: { c: 2 } }, (context: { b: { c?: number } }) => delete context.b.c],
    ["a list for a record", { a: {} }, (context: { a: unknown }) => Object.assign(context, { a: [1] })],
    ["a date", {}, (context: { at: Date }) => Object.assign(context, { at: new Date(0) })],
    ["a set that grows", { seen: new Set([1]) }, ({ seen }: { seen: Set<number> }) => void seen.add(2)],
    ["undefined", {}, (context: { a: unknown }) => Object.assign(context, { a: undefined })],
  ])("may be %s", async (_, before, change) => {
    const context = structuredClone(before);
    const recorded = await changeOf(context, () => change(context as never));
    const anew = structuredClone(before);
    redo(anew, recorded as Change);
    expect(anew).toStrictEqual(context);
  });

  test("says only what is new: a list that grows costs its new items", async () => {
    const context = { log: Array.from({ length: 1000 }, (_, i) => i) };
    const change = await changeOf(context, () => void context.log.push(1000));
    expect(change).toEqual({ n: 1, set: [[["log", "1000"], 1000]], deleted: [] });
  });

  test("leaves out what is no data, and keeps what lies beside it", async () => {
    class Client {}
    const context: Record<string, unknown> = { client: new Client() };
    const change = await changeOf(context, () => {
      context.other = new Client();
      context.user = { name: "ana", client: new Client(), greet: () => "hello" };
    });
    const anew: Record<string, unknown> = { client: new Client() };
    redo(anew, change as Change);
    expect(anew).toEqual({ client: new Client(), user: { name: "ana" } });
  });

  test("of a context that holds itself ends", async () => {
    const context: Record<string, unknown> = { n: 1 };
    context.self = context;
    expect(await changeOf(context, () => Object.assign(context, { n: 2 }))).toMatchObject({
      set: [[["n"], 2]],
    });
  });

  test("is nothing where nothing has changed, or there is no context", async () => {
    expect(await changeOf({ a: [1, { b: 2 }] }, () => {})).toBeUndefined();
    expect((await watch(undefined, async () => 1)).change).toBeUndefined();
  });

  test("does not count what happens between two calls", async () => {
    const context = { turn: 0, seen: 0 };
    await changeOf(context, () => Object.assign(context, { seen: 1 }));
    context.turn = 1;
    expect(await changeOf(context, () => Object.assign(context, { seen: 2 }))).toMatchObject({
      set: [[["seen"], 2]],
    });
  });

  test("of calls side by side is right in whatever order a replay comes to them", async () => {
    const begun = () => ({ cart: [] as string[], last: "" });
    const context = begun();
    const goOn = Promise.withResolvers<void>();
    const put = (item: string) => {
      context.cart.push(item);
      context.last = item;
    };
    const slow = changeOf(context, async () => {
      await goOn.promise;
      put("slow");
    });
    const quick = await changeOf(context, () => put("quick"));
    goOn.resolve();
    const changes = [await slow, quick] as Change[];
    const anew = begun();
    for (const change of changes) redo(anew, change);
    expect(anew).toEqual({ cart: ["quick", "slow"], last: "slow" });
  });

  test("of a replayed call is not taken for one of a call beside it", async () => {
    const context: Record<string, unknown> = {};
    const goOn = Promise.withResolvers<void>();
    const live = changeOf(context, async () => {
      context.live = true;
      await goOn.promise;
    });
    redo(context, { n: 1, set: [[["replayed"], true]], deleted: [] });
    goOn.resolve();
    expect(await live).toEqual({ n: 2, set: [[["live"], true]], deleted: [] });
  });
});
