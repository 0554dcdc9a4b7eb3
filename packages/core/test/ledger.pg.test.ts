import { fc, test as property } from "@fast-check/vitest";
import { describe, expect, onTestFinished, test } from "vitest";
import { Appender } from "../src/appender.ts";
import { parseRunFile, writeRunFile } from "../src/export/run-file.ts";
import type { Fact } from "../src/ledger/entry.ts";
import { park, takeLease } from "../src/store/lease.ts";
import { append, type Lease, readEntries, rowOf, type Uncounted } from "../src/store/ledger.ts";
import { writeOutside } from "../src/store/outside.ts";
import { intended, observed } from "../src/testing/given.ts";
import { aRun, aWorker, entriesOf, expire, headOf, noteOf, takeOver, toldOf, useStore } from "./store.ts";

const store = useStore();
const hostile = ["runId", "seq", "epoch", "at", "kind", "step", "value", "__proto__"];
const ended: Fact = { kind: "outcome", status: "succeeded", kept: true };

const appender = () => new Appender(store.db);
const first = (lease: Lease, ...steps: string[]): Uncounted => ({
  lease,
  number: 1,
  facts: steps.map(noteOf),
});

/** The answer of one append that is sent without anything around it. */
const send = async (one: Uncounted) => (await append(store.db, [one]))[0];

describe("an append", () => {
  test("comes after what is there, in order and without gaps, whoever writes beside it", async () => {
    const worker = await aWorker(store);
    const runs = await Promise.all(Array.from({ length: 12 }, () => aRun(store, worker)));
    const shared = appender();
    await Promise.all(
      runs.map(async (lease) => {
        for (let number = 1; number <= 8; number++) {
          await shared.append({ lease, number, facts: [noteOf(`${number}a`), noteOf(`${number}b`)] });
        }
      }),
    );
    for (const lease of runs) {
      expect((await entriesOf(store, lease)).map(({ seq }) => seq)).toEqual(range(1, 18));
      expect(await toldOf(store, lease)).toEqual(range(1, 8).flatMap((n) => [`note ${n}a`, `note ${n}b`]));
    }
  });

  test("is stamped by the database, and says where it landed", async () => {
    const lease = await aRun(store, await aWorker(store));
    const [before] = await store.sql<{ at: Date }>("select clock_timestamp() as at");
    const landed = await appender().append(first(lease, "a", "b"));
    const [after] = await store.sql<{ at: Date }>("select clock_timestamp() as at");
    const entries = await readEntries(store.db, lease, 2);
    expect(landed.after).toBe(2);
    expect(entries.map(({ seq, epoch, at }) => ({ seq, epoch, at }))).toEqual([
      { seq: 3, epoch: 1, at: landed.at },
      { seq: 4, epoch: 1, at: landed.at },
    ]);
    expect(Number(landed.at)).toBeGreaterThanOrEqual(Number(before?.at));
    expect(Number(landed.at)).toBeLessThanOrEqual(Number(after?.at));
  });

  test("keeps every field of a fact as it was", async () => {
    const lease = await aRun(store, await aWorker(store));
    const facts = [
      intended("pay#0", { id: "call_1", parallel: true, value: '{"cents":1}' as never }),
      observed("pay#0", { ok: true }, { ms: 3, usage: { inputTokens: 7 } }),
    ];
    await appender().append({ lease, number: 1, facts });
    const entries = await readEntries(store.db, lease, 2);
    expect(entries).toMatchObject(facts);
  });

  const odd = fc.string({ unit: fc.constantFrom("\0", "\ud83d", "\ude00", "\\", "u0000", "a", "\ufffd") });
  property.prop([odd], { numRuns: 100 })(
    "can be read by Postgres, whatever its text: NUL and half a surrogate pair become U+FFFD",
    async (text) => {
      const written = text.toWellFormed().replaceAll("\0", "\ufffd");
      const { body } = rowOf({ ...noteOf("a"), [text]: 1, differs: [text] } as Fact);
      // As it was written before, and as it is written: Postgres reads the same.
      for (const said of [body, JSON.stringify({ differs: [text] })]) {
        const [row] = await store.sql("select holdfast.body_of($1) -> 'differs' ->> 0 as text", [said]);
        expect(row).toEqual({ text: written });
      }
      expect(JSON.parse(body)).toMatchObject({ differs: [written] });
      await store.sql("select $1::json ->> 'differs'", [body]);
    },
  );

  property.prop([fc.dictionary(fc.constantFrom(...hostile), fc.jsonValue({ maxDepth: 1 }))], { numRuns: 25 })(
    "takes its stamp from nothing that a fact, or a row of the table, calls by the stamp's names",
    async (fields) => {
      const lease = await aRun(store, await aWorker(store));
      const { value: _, ...others } = fields;
      await appender().append({ lease, number: 1, facts: [{ ...others, ...noteOf("a") }] });
      const [{ body, at } = { body: "", at: new Date(0) }] = await store.sql<{ body: string; at: Date }>(
        "select body, at from holdfast.entries where run = $1 and seq = 3",
        [lease.run],
      );
      expect(hostile.filter((name) => name !== "__proto__" && name in JSON.parse(body))).toEqual([]);

      const forged = JSON.stringify({ ...JSON.parse(body), ...fields });
      await store.sql("alter table holdfast.entries disable trigger user");
      await store.sql("update holdfast.entries set body = $2 where run = $1 and seq = 3", [
        lease.run,
        forged,
      ]);
      await store.sql("alter table holdfast.entries enable trigger user");
      const { runId } = lease;
      const stamp = { runId, seq: 3, epoch: 1, at, kind: "note", step: "a" };
      const [entry] = await readEntries(store.db, lease, 2);
      expect(entry).toMatchObject(stamp);
      expect(entry).not.toHaveProperty("value");
      expect(Object.getPrototypeOf(entry)).toBe(Object.prototype);

      const entries = await readEntries(store.db, lease);
      const file = writeRunFile({ runId, entries, blobs: new Map(), redacted: { paths: [], patterns: [] } });
      expect((await parseRunFile(file)).entries[2]).toMatchObject(stamp);
    },
  );

  test("of a writer that was taken over is fenced off, even once it has caught up", async () => {
    const worker = await aWorker(store);
    const lease = await aRun(store, worker);
    await takeOver(store, lease, worker);
    // The number is what the head would take from its new owner.
    await expect(appender().append(first(lease, "late"))).rejects.toThrow("(FENCED)");
    expect(await toldOf(store, lease)).toEqual(["takeover"]);
  });

  test("of a late writer whom nobody took over lands", async () => {
    const worker = await aWorker(store);
    const lease = await aRun(store, worker);
    await expire(store, worker);
    await appender().append(first(lease, "late"));
    expect(await toldOf(store, lease)).toEqual(["note late"]);
  });

  test("of a run that does not exist is refused", async () => {
    const lease = { run: "999999999", runId: "nobody's", epoch: 1 };
    await expect(appender().append(first(lease, "a"))).rejects.toThrow("(RUN_NOT_FOUND)");
  });
});

describe("an append that is sent again because its answer was lost", () => {
  test("lands once and is recognised", async () => {
    const lease = await aRun(store, await aWorker(store));
    const landed = await send(first(lease, "a", "b"));
    const again = await appender().append(first(lease, "a", "b"));
    expect(again.after).toBe(landed?.after);
    expect(await toldOf(store, lease)).toEqual(["note a", "note b"]);
  });

  test("is recognised also where somebody outside wrote in between", async () => {
    const lease = await aRun(store, await aWorker(store));
    await send(first(lease, "a", "b"));
    await writeOutside(store.db, lease, 4, { kind: "command", command: "pause", by: "ana" });
    expect(await appender().append(first(lease, "a", "b"))).toMatchObject({ after: 2 });
    expect(await toldOf(store, lease)).toEqual(["note a", "note b", "command"]);
  });

  test("is recognised also where it ended the run", async () => {
    const lease = await aRun(store, await aWorker(store));
    const end: Uncounted = { lease, number: 1, facts: [ended], ends: "succeeded" };
    await send(end);
    expect(await appender().append(end)).toMatchObject({ after: 2 });
    expect(await toldOf(store, lease)).toEqual(["outcome"]);
  });

  test("and arrives only after a later one writes nothing", async () => {
    const lease = await aRun(store, await aWorker(store));
    await send(first(lease, "a"));
    await send({ lease, number: 2, facts: [noteOf("b")] });
    expect(await send(first(lease, "a"))).toBeUndefined();
    expect(await toldOf(store, lease)).toEqual(["note a", "note b"]);
  });

  test("and travels twice at once lands once", async () => {
    const lease = await aRun(store, await aWorker(store));
    const landed = await Promise.all([1, 2, 3, 4].map(() => appender().append(first(lease, "a"))));
    expect(landed.map(({ after }) => after)).toEqual([2, 2, 2, 2]);
    expect(await toldOf(store, lease)).toEqual(["note a"]);
  });

  test("after a takeover is fenced, whoever took the run over wrote as often", async () => {
    const worker = await aWorker(store);
    const lease = await aRun(store, worker);
    await send(first(lease, "mine"));
    const taken = await takeOver(store, lease, worker);
    await send(first(taken, "theirs"));
    await expect(appender().append(first(lease, "mine"))).rejects.toThrow("(FENCED)");
    expect(await toldOf(store, lease)).toEqual(["note mine", "takeover", "note theirs"]);
  });

  test("does not skip one that never arrived", async () => {
    const lease = await aRun(store, await aWorker(store));
    expect(await send({ lease, number: 2, facts: [noteOf("b")] })).toBeUndefined();
    expect(await toldOf(store, lease)).toEqual([]);
  });
});

describe("several runs in one statement", () => {
  test("where one is fenced, the others land", async () => {
    const worker = await aWorker(store);
    const runs = await Promise.all(range(1, 5).map(() => aRun(store, worker)));
    const [fenced, ...others] = runs as [Lease, ...Lease[]];
    const taker = await aWorker(store);
    await expire(store, worker);
    await takeLease(store.db, fenced, taker, "crash", { epoch: 1, beats: null, gone: false, mine: false });

    const shared = appender();
    const settled = await Promise.allSettled(runs.map((lease) => shared.append(first(lease, "a"))));
    expect(settled.map(({ status }) => status)).toEqual(["rejected", ...others.map(() => "fulfilled")]);
    for (const lease of others) expect(await toldOf(store, lease)).toEqual(["note a"]);
  });

  test("where Postgres refuses a row of one, the others land", async () => {
    const worker = await aWorker(store);
    const [busy, bad, good] = await threeRuns();
    const shared = appender();
    const settled = await Promise.allSettled([
      shared.append(first(busy, "goes alone, the others gather behind it")),
      shared.append(first(bad, "good", "with \0 in it")),
      shared.append(first(good, "a")),
    ]);
    expect(settled.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
    expect(await toldOf(store, good)).toEqual(["note a"]);
    expect(await toldOf(store, bad)).toEqual([]);

    async function threeRuns() {
      return [await aRun(store, worker), await aRun(store, worker), await aRun(store, worker)] as const;
    }
  });

  test("a run's facts land together or not at all", async () => {
    const lease = await aRun(store, await aWorker(store));
    await expect(appender().append(first(lease, "a", "\0"))).rejects.toMatchObject({ code: "22021" });
    await appender().append(first(lease, "a"));
    expect(await toldOf(store, lease)).toEqual(["note a"]);
  });

  test("a head that somebody holds delays only its own run", async () => {
    const worker = await aWorker(store);
    const [opener, held, free] = [
      await aRun(store, worker),
      await aRun(store, worker),
      await aRun(store, worker),
    ];
    const holder = await holdHead(held);

    const shared = appender();
    const opening = shared.append(first(opener, "goes alone, the others gather behind it"));
    const waiting = shared.append(first(held, "waits"));
    await shared.append(first(free, "passes"));
    expect(await toldOf(store, held)).toEqual([]);

    await holder.query("commit");
    await Promise.all([opening, waiting]);
    expect(await toldOf(store, held)).toEqual(["note waits"]);
  });

  test("a head that somebody holds delays only its own run, also where it was sent alone", async () => {
    const worker = await aWorker(store);
    const [held, free] = [await aRun(store, worker), await aRun(store, worker)];
    const holder = await holdHead(held);

    const shared = appender();
    const waiting = shared.append(first(held, "waits"));
    await shared.append(first(free, "passes"));
    expect(await toldOf(store, held)).toEqual([]);

    await holder.query("commit");
    await waiting;
    expect(await toldOf(store, held)).toEqual(["note waits"]);
  });

  test("as many as there are land, more than one statement takes", async () => {
    const worker = await aWorker(store);
    const runs = await Promise.all(range(1, 300).map(() => aRun(store, worker)));
    const shared = appender();
    const landed = await Promise.all(runs.map((lease) => shared.append(first(lease, "a", "b", "c"))));
    expect(landed.map(({ after }) => after)).toEqual(runs.map(() => 2));
    const [count] = await store.sql("select count(*)::int as n from holdfast.entries where run = any ($1)", [
      runs.map(({ run }) => run),
    ]);
    expect(count).toEqual({ n: 300 * 5 });
  });
});

describe("a run that was parked", () => {
  test("takes an observation that comes late, and waits for a caller to go on with it", async () => {
    const lease = await parked();
    await appender().append({ lease, number: 2, facts: [observed("pay#0", 1)] });
    expect(await toldOf(store, lease)).toEqual(["note", "observation pay#0"]);
    expect(await headOf(store, lease)).toMatchObject({ status: "waiting", waitingOn: "caller", owner: null });
  });

  test("takes an observation that comes late also while somebody holds its head", async () => {
    const worker = await aWorker(store);
    const [lease, opener, free] = [await parked(), await aRun(store, worker), await aRun(store, worker)];
    const holder = await holdHead(lease);
    const shared = appender();
    const opening = shared.append(first(opener, "goes alone, the others gather behind it"));
    const late = Promise.allSettled([shared.append({ lease, number: 2, facts: [observed("pay#0", 1)] })]);
    await shared.append(first(free, "passes"));
    await opening;
    await holder.query("commit");
    expect(await late).toMatchObject([{ status: "fulfilled" }]);
    expect(await toldOf(store, lease)).toEqual(["note", "observation pay#0"]);
  });

  test("does not end", async () => {
    const lease = await parked();
    const end = appender().append({ lease, number: 2, facts: [ended], ends: "succeeded" });
    await expect(end).rejects.toThrow("(FENCED)");
    expect(await headOf(store, lease)).toMatchObject({ status: "waiting", seq: 3 });
  });

  async function parked(): Promise<Lease> {
    const lease = await aRun(store, await aWorker(store));
    expect(await park(store.db, { lease, number: 1 }, 2, { waitingOn: "doubt" })).toBe(true);
    return lease;
  }
});

describe("a run that ended", () => {
  test("has its status and its end in the head, and no owner", async () => {
    const lease = await aRun(store, await aWorker(store));
    await appender().append({ lease, number: 1, facts: [ended], ends: "failed" });
    expect(await headOf(store, lease)).toMatchObject({
      status: "failed",
      owner: null,
      finishedAt: expect.any(Date),
    });
  });

  test.each(["succeeded", "failed", "cancelled"] as const)(
    "takes nothing more once it has %s",
    async (ends) => {
      const lease = await aRun(store, await aWorker(store));
      await appender().append({ lease, number: 1, facts: [ended], ends });
      await expect(appender().append({ lease, number: 2, facts: [noteOf("late")] })).rejects.toThrow(
        /\((FENCED|CANCELLED)\)/,
      );
      expect(await toldOf(store, lease)).toEqual(["outcome"]);
    },
  );
});

test.each([
  "update holdfast.entries set body = '{}'",
  "update holdfast.entries set seq = seq + 1000",
  "delete from holdfast.entries",
  "truncate holdfast.entries",
])("the ledger refuses: %s", async (statement) => {
  const lease = await aRun(store, await aWorker(store));
  await expect(store.sql(statement)).rejects.toMatchObject({ code: "HF001" });
  expect(await entriesOf(store, lease)).toHaveLength(2);
});

test.each([
  "run_id = ''",
  "status = 'asleep', leased_by = null",
  "status = 'waiting', leased_by = null",
  "status = 'queued'",
  "waiting_on = 'doubt'",
  "status = 'waiting', waiting_on = 'rain', leased_by = null",
  "leased_by = null",
  "queued_after = 'lunch'",
  "command = 'stop'",
  "most_crashes = 0",
])("the head of a run that is worked on refuses: %s", async (change) => {
  const { run } = await aRun(store, await aWorker(store));
  const update = `update holdfast.runs set ${change} where run = $1`;
  await expect(store.sql(update, [run])).rejects.toMatchObject({ code: "23514" });
});

test("no run is created with a head that is none", async () => {
  const insert = "insert into holdfast.runs (run_id, inline, status) values ('none', true, 'running')";
  await expect(store.sql(insert)).rejects.toMatchObject({ code: "23514" });
});

test("an entry's number is its run's once only", async () => {
  const lease = await aRun(store, await aWorker(store));
  const twice = `insert into holdfast.entries (run, seq, epoch, at, kind, body)
                 select run, seq, epoch, at, kind, body from holdfast.entries where run = $1`;
  await expect(store.sql(twice, [lease.run])).rejects.toMatchObject({ code: "23505" });
});

test("entries are read in pages", async () => {
  const lease = await aRun(store, await aWorker(store));
  await appender().append(first(lease, "a", "b", "c"));
  const page = await readEntries(store.db, lease, 2, 2);
  expect(page.map(({ seq }) => seq)).toEqual([3, 4]);
});

/** Somebody's open transaction holds the head. */
async function holdHead({ run }: Lease) {
  const holder = await store.session();
  onTestFinished(() => holder.end());
  await holder.query("begin");
  await holder.query("select from holdfast.runs where run = $1 for update", [run]);
  return holder;
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, i) => from + i);
}
