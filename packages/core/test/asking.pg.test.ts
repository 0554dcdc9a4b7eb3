import { describe, expect, test } from "vitest";
import { type LedgerEntry, step } from "../src/index.ts";
import { forever, useHoldfast } from "./opened.ts";
import { eventually, newId } from "./store.ts";

const { open, interruptRun, sql } = useHoldfast();

test("a run is shown with what it was started with and what came of it", async () => {
  const [id, holdfast] = [newId(), await open()];
  const options = { input: { a: 1n }, agent: "teller", version: "7", tags: ["tenant:acme", "blue"] };
  await holdfast.run(id, () => new Map([["b", 2]]), options);
  expect(await holdfast.runs.get(id)).toEqual({
    id,
    ...options,
    status: "succeeded",
    waitingOn: undefined,
    seq: 3,
    epoch: 1,
    value: new Map([["b", 2]]),
    error: undefined,
    attempts: { crashes: 0, retries: 0, resumes: 0 },
    budget: expect.objectContaining({ cap: undefined, spent: 0, held: 0 }),
    parent: undefined,
    forkedFrom: undefined,
    createdAt: expect.any(Date),
    finishedAt: expect.any(Date),
  });
});

test("a run that does not exist is not found", async () => {
  const holdfast = await open();
  await expect(holdfast.runs.get(newId())).rejects.toThrow("(RUN_NOT_FOUND)");
  await expect(holdfast.entries(newId())).rejects.toThrow("(RUN_NOT_FOUND)");
  await expect(holdfast.tail(newId()).next()).rejects.toThrow("(RUN_NOT_FOUND)");
});

describe("a listing", () => {
  test("comes in pages, the newest first, each run once", async () => {
    const holdfast = await open();
    const ids = Array.from({ length: 5 }, newId);
    for (const id of ids) await holdfast.run(id, () => 1, { agent: "paged" });
    const pages: string[][] = [];
    let cursor: string | undefined;
    do {
      const page = await holdfast.runs.list({ agent: "paged", limit: 2, ...(cursor ? { cursor } : {}) });
      pages.push(page.map(({ id }) => id));
      cursor = page.cursor;
    } while (cursor);
    expect(pages.map((page) => page.length)).toEqual([2, 2, 1]);
    expect(pages.flat()).toEqual(ids.toReversed());
  });

  test("goes on where it was, though runs were added meanwhile", async () => {
    const holdfast = await open();
    const add = (id: string) => holdfast.run(id, () => 1, { agent: "growing" });
    const [first, second, third] = [newId(), newId(), newId()];
    await add(first);
    await add(second);
    const page = await holdfast.runs.list({ agent: "growing", limit: 1 });
    await add(third);
    const rest = await holdfast.runs.list({ agent: "growing", limit: 5, cursor: page.cursor ?? "" });
    expect([...page, ...rest].map(({ id }) => id)).toEqual([second, first]);
  });

  test("tells runs of one instant apart", async () => {
    const holdfast = await open();
    const ids = Array.from({ length: 6 }, newId);
    await Promise.all(ids.map((id) => holdfast.run(id, () => 1, { agent: "crowd" })));
    await sql("update holdfast.runs set created_at = date_trunc('second', now()) where agent = 'crowd'");
    const page = await holdfast.runs.list({ agent: "crowd", limit: 4 });
    const rest = await holdfast.runs.list({ agent: "crowd", limit: 4, cursor: page.cursor ?? "" });
    expect(new Set([...page, ...rest].map(({ id }) => id)).size).toBe(6);
  });

  test("is narrowed by status, by tag, and by what a run waits for", async () => {
    const holdfast = await open();
    const [failed, tagged] = [newId(), newId()];
    await holdfast.run(failed, () => Promise.reject(new Error("no")), { agent: "narrow" }).catch(() => {});
    await holdfast.run(tagged, () => 1, { agent: "narrow", tags: ["t"] });
    const waiting = await interruptRun((interrupt) => interrupt());
    const idsOf = async (filter: object) => (await holdfast.runs.list(filter)).map(({ id }) => id);
    expect(await idsOf({ agent: "narrow", status: "failed" })).toEqual([failed]);
    expect(await idsOf({ tag: "t" })).toEqual([tagged]);
    expect(await idsOf({ status: "waiting", waitingOn: "caller" })).toEqual([waiting]);
  });

  test.each<[string, object]>([
    ["a limit of 0", { limit: 0 }],
    ["a limit that is too large", { limit: 501 }],
    ["a limit that is no whole number", { limit: 1.5 }],
    ["a cursor that is none", { cursor: "x" }],
    ["a cursor of JSON that is none", { cursor: Buffer.from("[1,2]").toString("base64url") }],
    ["a cursor of no instant", { cursor: Buffer.from('["yesteryear","1"]').toString("base64url") }],
  ])("with %s is refused", async (_, filter) => {
    await expect((await open()).runs.list(filter)).rejects.toThrow("(INVALID_ARGUMENT)");
  });
});

describe("the entries of a run", () => {
  test("have their values under the name of what they are", async () => {
    const [id, holdfast] = [newId(), await open()];
    const work = async () => {
      await step("look", () => "seen", { input: { at: "order" } });
      await step("fail", () => Promise.reject(new Error("no"))).catch(() => {});
      return "value";
    };
    await holdfast.run(id, work, { input: 7 });
    expect(await holdfast.entries(id)).toMatchObject([
      { runId: id, seq: 1, epoch: 0, kind: "start", input: 7 },
      { runId: id, seq: 2, epoch: 1, kind: "takeover" },
      { kind: "intent", step: "look#0", name: "look", effect: "once", input: { at: "order" } },
      { kind: "observation", step: "look#0", ok: true, output: "seen" },
      { kind: "intent", step: "fail#0" },
      { kind: "observation", step: "fail#0", ok: false, error: { message: "no" } },
      { seq: 7, kind: "outcome", status: "succeeded", value: "value" },
    ]);
  });

  test("are tailed as they are written, and the tail ends with the run", async () => {
    const [id, holdfast] = [newId(), await open()];
    const [begun, goOn] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const running = holdfast.run(id, async () => {
      await step("first", () => begun.resolve());
      await goOn.promise;
      await step("second", () => 1);
    });
    await begun.promise;
    const seen: LedgerEntry[] = [];
    for await (const entry of holdfast.tail(id)) {
      seen.push(entry);
      if (entry.kind === "intent" && entry.step === "first#0") goOn.resolve();
    }
    await running;
    expect(seen).toEqual(await holdfast.entries(id));
    expect(seen.at(-1)?.kind).toBe("outcome");
  });

  test("are tailed from where one asks", async () => {
    const [id, holdfast] = [newId(), await open()];
    await holdfast.run(id, () => 1);
    const seqs = [];
    for await (const { seq } of holdfast.tail(id, { after: 2 })) seqs.push(seq);
    expect(seqs).toEqual([3]);
  });

  test("are tailed until one has enough", async () => {
    const [id, holdfast] = [newId(), await open()];
    const running = holdfast.run(id, () => forever());
    running.catch(() => {});
    const enough = new AbortController();
    const seen = [];
    // The run is created in the background: until then there is nothing to tail.
    await eventually(async () => (await holdfast.runs.list({})).some((run) => run.id === id));
    for await (const { seq } of holdfast.tail(id, { signal: enough.signal })) {
      seen.push(seq);
      if (seq === 2) enough.abort();
    }
    expect(seen).toEqual([1, 2]);
  });
});
