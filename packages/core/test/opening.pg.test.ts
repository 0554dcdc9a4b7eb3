import pg from "pg";
import { afterEach, describe, expect, onTestFinished, test, vi } from "vitest";
import { Holdfast, openHoldfast, usd } from "../src/index.ts";
import { openWireProxy } from "../src/testing/wire-proxy.ts";
import { outcomeOf } from "./agent.ts";
import { useHoldfast } from "./opened.ts";
import { eventually, newId } from "./store.ts";

const opened = useHoldfast();
const { open, sql } = opened;

afterEach(() => {
  vi.unstubAllEnvs();
});

describe("without a database", () => {
  test("nothing is opened in production", async () => {
    vi.stubEnv("DATABASE_URL", undefined);
    vi.stubEnv("NODE_ENV", "production");
    await expect(openHoldfast()).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      message: expect.stringContaining("DATABASE_URL"),
    });
  });

  test("DATABASE_URL is used, in production as well", async () => {
    vi.stubEnv("DATABASE_URL", opened.url);
    vi.stubEnv("NODE_ENV", "production");
    const holdfast = await openHoldfast();
    onTestFinished(() => holdfast.close());
    const id = newId();
    await holdfast.run(id, () => 1);
    expect(await sql("select status from holdfast.runs where run_id = $1", [id])).toEqual([
      { status: "succeeded" },
    ]);
  });
});

test.each(["mysql://root@127.0.0.1/x", "my database", ""])("a database %j is none", async (database) => {
  await expect(openHoldfast({ database })).rejects.toThrow("(INVALID_ARGUMENT)");
});

test("a server that is not there is said to be unavailable, within the time a first connection gets", async () => {
  const nobody = "postgres://postgres@127.0.0.1:1/postgres";
  await expect(openHoldfast({ database: nobody })).rejects.toThrow("(DATABASE_UNAVAILABLE)");
}, 15_000);

test.each<[string, (url: URL) => void]>([
  [
    "a database that does not exist",
    (url) => {
      url.pathname = "/holdfast_test_none";
    },
  ],
  [
    "a role that does not exist",
    (url) => {
      url.username = "holdfast_test_nobody";
    },
  ],
])(
  "%s is said to be unavailable",
  async (_, change) => {
    const url = new URL(opened.url);
    change(url);
    await expect(openHoldfast({ database: url.href })).rejects.toThrow("(DATABASE_UNAVAILABLE)");
  },
  15_000,
);

test("a pool that one has is used, and stays one's own", async () => {
  const pool = new pg.Pool({ connectionString: opened.url });
  onTestFinished(() => pool.end());
  const holdfast = await openHoldfast({ database: pool });
  expect(await holdfast.run(newId(), () => 1)).toBe(1);
  await holdfast.close();
  expect((await pool.query("select 1 as one")).rows).toEqual([{ one: 1 }]);
});

test("a Holdfast that was made and not opened connects when it is first used", async () => {
  const holdfast = new Holdfast({ database: opened.url });
  onTestFinished(() => holdfast.close());
  expect(await holdfast.run(newId(), () => 1)).toBe(1);
});

test("a Holdfast that could not connect tries again when it is used again", async () => {
  vi.stubEnv("DATABASE_URL", undefined);
  vi.stubEnv("NODE_ENV", "production");
  const holdfast = new Holdfast();
  onTestFinished(() => holdfast.close());
  await expect(holdfast.run(newId(), () => 1)).rejects.toThrow("(INVALID_ARGUMENT)");
  vi.stubEnv("DATABASE_URL", opened.url);
  expect(await holdfast.run(newId(), () => 1)).toBe(1);
});

test("a heart that could not beat in time is followed by another for the next run", async () => {
  const proxy = await openWireProxy(opened.url);
  onTestFinished(() => proxy.close());
  const holdfast = await open({ database: proxy.url });
  await holdfast.runs.list();
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  onTestFinished(() => void vi.useRealTimers());
  proxy.sever();
  const running = outcomeOf(holdfast.run(newId(), () => 1));
  await proxy.refused(1);
  await vi.advanceTimersByTimeAsync(15_000);
  expect(await running).toBe("DATABASE_UNAVAILABLE");
  vi.useRealTimers();
  proxy.mend();
  const runs = [newId(), newId()].map((id) => holdfast.run(id, () => 1));
  expect(await Promise.all(runs)).toEqual([1, 1]);
  await holdfast.close();
  expect(await sql("select from holdfast.workers where until > now()")).toEqual([]);
});

test("a Holdfast that is closed leaves no connection and no worker behind", async () => {
  const holdfast = await open({ leaseSeconds: 7 });
  await holdfast.run(newId(), () => 1);
  expect(await sql("select from holdfast.workers where until > now()")).not.toEqual([]);
  await holdfast.close();
  expect(await sql("select from holdfast.workers where until > now()")).toEqual([]);
  const left =
    "select from pg_stat_activity where datname = current_database() and application_name like 'holdfast%'";
  await eventually(async () => (await sql(left)).length === 0);
});

test.each([
  ["empty", ""],
  ["too long", "x".repeat(513)],
  ["text with NUL in it", "a\0b"],
  ["half a surrogate pair", "a\ud800"],
  ["a number", 7 as never],
])("an id that is %s is refused", async (_, id) => {
  const holdfast = await open();
  await expect(holdfast.run(id, () => 1)).rejects.toThrow("(INVALID_ARGUMENT)");
  expect(() => holdfast.stream(id, () => 1)).toThrow("(INVALID_ARGUMENT)");
});

test.each([
  ["an option that there is none of", { bugdet: usd(1) }, "bugdet"],
  ["another way to meet an owner", { onLeased: "waitt" }, "onLeased"],
])("a run with %s is refused, and not begun without it", async (_, options, argument) => {
  const [id, holdfast] = [newId(), await open()];
  const refused = { code: "INVALID_ARGUMENT", details: { argument } };
  await expect(holdfast.run(id, () => 1, options as never)).rejects.toMatchObject(refused);
  expect(() => holdfast.stream(id, () => 1, options as never)).toThrow(argument);
  await expect(holdfast.runs.get(id)).rejects.toThrow("(RUN_NOT_FOUND)");
});

test.each([
  ["the longest there may be", "漢".repeat(512)],
  ["a path", "a/b#1:c=d"],
  ["SQL", "'; drop table holdfast.runs; --"],
  ["an emoji", "🦀"],
])("an id that is %s is an id", async (_, id) => {
  const holdfast = await open();
  await holdfast.run(id, () => 1);
  expect(await holdfast.runs.get(id)).toMatchObject({ id, status: "succeeded" });
});
