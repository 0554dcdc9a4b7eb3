import pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { PostgresSession, withDurability } from "../src/index.ts";
import { calls, ItemModel, says } from "./item-model.ts";
import { versions } from "./versions.ts";
import { workbench } from "./workbench.ts";

const { twice, cut, url } = workbench({ tools: { "*": { effect: "idempotent" } } });

let pool: pg.Pool;
beforeAll(() => {
  pool = new pg.Pool({ connectionString: url(), max: 4 });
  pool.on("error", () => {}); // the database goes before its pool
});
afterAll(() => pool.end());

const ours = () => new PostgresSession({ sessionId: `session-${crypto.randomUUID()}`, pool });

const textsOf = (items: readonly object[]) =>
  items.map((item) => {
    const { content, name, type } = item as { content?: unknown; name?: string; type?: string };
    if (typeof content === "string") return content;
    return Array.isArray(content) ? content[0].text : (name ?? type);
  });

describe.each(versions)("$name", ({ sdk }) => {
  withDurability(sdk.Runner);
  const { Agent, run } = sdk;

  interface AnySession {
    getItems(limit?: number): Promise<object[]>;
    addItems(items: never[]): Promise<void>;
    applyHistoryTransaction?(args: { operationId: string }): Promise<void>;
  }

  describe.each<[string, () => AnySession]>([
    ["a session of the user's", () => new sdk.MemorySession()],
    ["ours", ours],
  ])("%s", (_, newSession) => {
    test("is read once and added to once, and what was said before is there", async () => {
      const session = newSession();
      const instance = new ItemModel([says("hello")], [says("hello again")]);
      const agent = new Agent({ name: "Remembers", model: instance });
      await twice(() => run(agent, "first", { session }));
      expect(textsOf(await session.getItems())).toEqual(["first", "hello"]);
      const [, replayed] = await twice(() => run(agent, "second", { session }));
      expect(replayed.finalOutput).toBe("hello again");
      expect(textsOf(await session.getItems())).toEqual(["first", "hello", "second", "hello again"]);
      expect(instance.asked).toHaveLength(2);
    });

    test.each(["run", "stream"] as const)(
      "that has been added to before its process died is not added to again (%s)",
      async (how) => {
        const session = newSession();
        await session.addItems([{ role: "user", content: "before" } as never]);
        const written = Promise.withResolvers<void>();
        const dead = new Promise<never>(() => {});
        let dies = true;
        // The store has what it was given, and whoever gave it never hears so.
        const dying = (method: "addItems" | "applyHistoryTransaction") => async (args: never) => {
          await session[method]?.(args);
          const items = await session.getItems();
          if (!dies || items.length < 3) return;
          dies = false;
          written.resolve();
          await dead;
        };
        const flaky = Object.create(session, {
          getItems: { value: (limit?: number) => session.getItems(limit) },
          getSessionId: { value: async () => "flaky" },
          addItems: { value: dying("addItems") },
          ...(session.applyHistoryTransaction && {
            applyHistoryTransaction: { value: dying("applyHistoryTransaction") },
          }),
        });
        const agent = new Agent({ name: "Flaky", model: new ItemModel([says("hello")]) });
        const streamed = async () => {
          const result = await run(agent, "now", { session: flaky, stream: true });
          await result.completed;
          return result;
        };
        const work = how === "run" ? () => run(agent, "now", { session: flaky }) : streamed;
        expect((await cut(written.promise, work)).finalOutput).toBe("hello");
        expect(textsOf(await session.getItems())).toEqual(["before", "now", "hello"]);
      },
    );
  });

  test("a run that goes on sees the conversation as it was when it began", async () => {
    const session = ours();
    const reached = Promise.withResolvers<void>();
    let waits = true;
    const hang = sdk.tool({
      name: "hang",
      description: "hangs",
      parameters: z.object({}),
      execute: async () => {
        if (!waits) return "at last";
        waits = false;
        await session.addItems([{ role: "user", content: "from another run" }]);
        reached.resolve();
        return await new Promise(() => {});
      },
    });
    const instance = new ItemModel([calls("hang")], [says("done")]);
    const agent = new Agent({ name: "Sees", model: instance, tools: [hang] });
    await cut(reached.promise, () => run(agent, "go", { session }));
    expect(JSON.stringify(instance.asked[1]?.input)).not.toContain("from another run");
  });
});

describe("a session of ours", () => {
  test("gives its items in order, the last of them, and takes them away", async () => {
    const session = ours();
    const item = (content: string) => ({ role: "user" as const, content });
    expect(await session.popItem()).toBeUndefined();
    await session.addItems([]);
    await session.addItems([item("a"), item("b")]);
    await session.addItems([item("b")]);
    expect(textsOf(await session.getItems())).toEqual(["a", "b", "b"]);
    expect(textsOf(await session.getItems(2))).toEqual(["b", "b"]);
    expect(await session.getItems(0)).toEqual([]);
    expect(await session.popItem()).toEqual(item("b"));
    expect(textsOf(await session.getItems())).toEqual(["a", "b"]);
    await session.clearSession();
    expect(await session.getItems()).toEqual([]);
  });

  test("is apart from every other one", async () => {
    const [one, other] = [ours(), ours()];
    await one.addItems([{ role: "user", content: "mine" }]);
    expect(await other.getItems()).toEqual([]);
    expect(await one.getSessionId()).not.toBe(await other.getSessionId());
  });

  test("makes its table once, however many ask for it at once", async () => {
    const pools = [1, 2, 3].map(() => new pg.Pool({ connectionString: url(), max: 1 }));
    await pool.query("drop schema if exists holdfast_agents cascade");
    const asked = pools.map((pool, n) => new PostgresSession({ sessionId: `s${n}`, pool }).getItems());
    expect(await Promise.all(asked)).toEqual([[], [], []]);
    await Promise.all(pools.map((pool) => pool.end()));
  });
});
