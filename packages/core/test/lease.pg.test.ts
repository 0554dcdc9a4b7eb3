import pg from "pg";
import { describe, expect, inject, onTestFinished, test } from "vitest";
import { encode } from "../src/codec.ts";
import { Creator } from "../src/creator.ts";
import { openHoldfast } from "../src/index.ts";
import { must } from "../src/must.ts";
import { giveBack, noticeDead, park, type Sight, takeLease } from "../src/store/lease.ts";
import { append, type Lease } from "../src/store/ledger.ts";
import { writeOutside } from "../src/store/outside.ts";
import { type Creation, createInline } from "../src/store/runs.ts";
import { beat, forgetWorkers, retireWorker } from "../src/store/workers.ts";
import { observed } from "../src/testing/given.ts";
import {
  aRun,
  aWorker,
  endSession,
  entriesOf,
  eventually,
  expire,
  headOf,
  lockIn,
  newId,
  noteOf,
  takeOver,
  toldOf,
  useStore,
  type Worker,
} from "./store.ts";

const store = useStore();
const looked: Sight = { epoch: 1, beats: null, gone: false, mine: false };

const take = (lease: Lease, taker: Worker, sight: Partial<Sight> = {}) =>
  takeLease(store.db, lease, taker, "crash", { ...looked, ...sight });

/** The lock was seen gone, and the beats were as they are now. */
const seenGone = async (lease: Lease): Promise<Partial<Sight>> => ({
  gone: true,
  beats: (await headOf(store, lease)).owner?.beats ?? null,
});

const outside = { kind: "command", command: "pause", by: "ana" } as const;

describe("a run is taken", () => {
  test("not from an owner that is alive", async () => {
    const lease = await aRun(store, await aWorker(store));
    expect(await take(lease, await aWorker(store))).toBeUndefined();
    expect(await headOf(store, lease)).toMatchObject({ epoch: 1, seq: 2 });
  });

  test("from an owner whose time is over: the epoch goes up, and the ledger says so", async () => {
    const [owner, taker] = [await aWorker(store), await aWorker(store)];
    const lease = await aRun(store, owner);
    await expire(store, owner);
    const taken = await take(lease, taker);
    expect(taken).toEqual({ lease: { ...lease, epoch: 2 }, seq: 3 });
    expect((await entriesOf(store, lease)).at(-1)).toMatchObject({
      kind: "takeover",
      after: "crash",
      worker: taker.name,
      epoch: 2,
      seq: 3,
    });
    expect((await headOf(store, lease)).owner).toMatchObject({ number: taker.number, alive: true });
  });

  test("from an owner of whom there is no row any more", async () => {
    const owner = await aWorker(store);
    const lease = await aRun(store, owner);
    await store.sql("delete from holdfast.workers where worker = $1", [owner.number]);
    expect(await take(lease, await aWorker(store))).toBeDefined();
  });

  test("by one of many that saw the same", async () => {
    const owner = await aWorker(store);
    const lease = await aRun(store, owner);
    await expire(store, owner);
    const takers = await Promise.all(Array.from({ length: 8 }, () => aWorker(store)));
    const taken = await Promise.all(takers.map((taker) => take(lease, taker)));
    expect(taken.filter(Boolean)).toHaveLength(1);
    expect(await toldOf(store, lease)).toEqual(["takeover"]);
  });

  test("not on the strength of what was seen an epoch ago", async () => {
    const owner = await aWorker(store);
    const lease = await aRun(store, owner);
    const taken = await takeOver(store, lease, owner);
    await park(store.db, { lease: taken, number: 1 }, 3, { waitingOn: "caller" });
    expect(await take(lease, await aWorker(store), { epoch: 1 })).toBeUndefined();
    expect(await take(lease, await aWorker(store), { epoch: 2 })).toBeDefined();
  });

  test("not by one whose own time is over", async () => {
    const [owner, taker] = [await aWorker(store), await aWorker(store)];
    const lease = await aRun(store, owner);
    await expire(store, owner);
    await expire(store, taker);
    expect(await take(lease, taker)).toBeUndefined();
  });

  test("not once it has succeeded", async () => {
    const lease = await aRun(store, await aWorker(store));
    await append(store.db, [
      { lease, number: 1, facts: [{ kind: "outcome", status: "succeeded", kept: true }], ends: "succeeded" },
    ]);
    expect(await take(lease, await aWorker(store))).toBeUndefined();
  });

  test("not once it failed and was pruned: whoever had read it before finds nothing to go on from", async () => {
    const lease = await aRun(store, await aWorker(store));
    const facts = [{ kind: "outcome", status: "failed", kept: true }] as const;
    await append(store.db, [{ lease, number: 1, facts, ends: "failed" }]);
    await store.db.query("update holdfast.runs set pruned_at = now() where run = $1", [lease.run]);
    expect(await take(lease, await aWorker(store))).toBeUndefined();
    expect(await headOf(store, lease)).toMatchObject({ status: "failed", epoch: 1 });
  });

  test("again after it failed, which counts as a retry", async () => {
    const lease = await aRun(store, await aWorker(store));
    await append(store.db, [
      { lease, number: 1, facts: [{ kind: "outcome", status: "failed", kept: true }], ends: "failed" },
    ]);
    expect(await take(lease, await aWorker(store))).toBeDefined();
    expect(await headOf(store, lease)).toMatchObject({ status: "running", finishedAt: null });
    expect(await counted(lease)).toEqual({ crashes: 0, retries: 1 });
  });

  test("by its own worker, where it does not know of it", async () => {
    const owner = await aWorker(store);
    const lease = await aRun(store, owner);
    expect(await take(lease, owner, { mine: true })).toMatchObject({ lease: { epoch: 2 } });
  });

  test("not by its own worker, where it works on it", async () => {
    const owner = await aWorker(store);
    const lease = await aRun(store, owner);
    expect(await take(lease, owner, { mine: false })).toBeUndefined();
  });

  test("not by a stranger that says it is its own", async () => {
    const lease = await aRun(store, await aWorker(store));
    expect(await take(lease, await aWorker(store), { mine: true })).toBeUndefined();
  });
});

describe("a run whose owner's time is not over is taken from it", () => {
  test("once its session lock is gone, whoever else holds one", async () => {
    const owner = await aWorker(store);
    const session = await lockIn(store, owner);
    await lockIn(store, await aWorker(store));
    const lease = await aRun(store, owner);
    await endSession(store, session);
    expect((await headOf(store, lease)).owner).toMatchObject({ alive: true, gone: true });
    expect(await take(lease, await aWorker(store), await seenGone(lease))).toBeDefined();
  });

  test("not while its session lock is held, whatever one believes to have seen", async () => {
    const owner = await aWorker(store);
    await lockIn(store, owner);
    const lease = await aRun(store, owner);
    expect((await headOf(store, lease)).owner).toMatchObject({ gone: false });
    expect(await take(lease, await aWorker(store), await seenGone(lease))).toBeUndefined();
  });

  test("not where it has beaten since the lock was seen gone", async () => {
    const owner = await aWorker(store);
    const session = await lockIn(store, owner);
    const lease = await aRun(store, owner);
    await endSession(store, session);
    const sight = await seenGone(lease);
    const [row] = await store.sql<{ locked_in: string }>(
      "select locked_in from holdfast.workers where worker = $1",
      [owner.number],
    );
    await beat(store.db, owner.number, 3600, row?.locked_in);
    expect(await take(lease, await aWorker(store), sight)).toBeUndefined();
  });

  test("not where the lock was not seen gone for the whole of the grace", async () => {
    const owner = await aWorker(store);
    const session = await lockIn(store, owner);
    const lease = await aRun(store, owner);
    await endSession(store, session);
    expect(
      await take(lease, await aWorker(store), { ...(await seenGone(lease)), gone: false }),
    ).toBeUndefined();
  });

  test.each<[string, string | null]>([
    ["never had a lock", null],
    ["had its lock in an earlier life of the server", "1/2"],
  ])("not where it %s", async (_, lockedIn) => {
    const owner = await aWorker(store);
    const lease = await aRun(store, owner);
    await beat(store.db, owner.number, 3600, lockedIn ?? undefined);
    expect((await headOf(store, lease)).owner).toMatchObject({ gone: false });
    expect(await take(lease, await aWorker(store), await seenGone(lease))).toBeUndefined();
  });

  test("once its lock is gone here, though one of the same number is held in another database", async () => {
    const owner = await aWorker(store);
    const session = await lockIn(store, owner);
    const lease = await aRun(store, owner);
    const elsewhere = new pg.Client({ connectionString: inject("databaseUrl") });
    await elsewhere.connect();
    onTestFinished(() => elsewhere.end());
    await elsewhere.query("select pg_advisory_lock_shared(1214669921, $1)", [owner.number]);
    await endSession(store, session);
    expect((await headOf(store, lease)).owner).toMatchObject({ gone: true });
  });
});

describe("a run is created", () => {
  test("not by a worker whose time is over", async () => {
    const worker = await aWorker(store);
    await expire(store, worker);
    const runId = newId();
    expect(await create(runId, worker)).toBeUndefined();
    expect(await store.sql("select from holdfast.runs where run_id = $1", [runId])).toEqual([]);
  });

  test("by one of many that ask for the same id at once", async () => {
    const workers = await Promise.all(Array.from({ length: 8 }, () => aWorker(store)));
    const runId = newId();
    const created = await Promise.all(workers.map((worker) => create(runId, worker)));
    expect(created.filter(Boolean)).toHaveLength(1);
  });

  test("beside others that are created with it, each with what it was started with", async () => {
    const [one, other] = [await aWorker(store), await aWorker(store)];
    const parent = await aRun(store, one);
    const start = { kind: "start", inline: true, tags: ["a", "b"], agent: "x", version: "1" } as const;
    const creations: Creation[] = [
      { ...creationOf(newId(), other), start: { ...start, parent: parent.runId }, inputDigest: "digest" },
      { ...creationOf(newId(), one), start: { kind: "start", inline: true, value: encode({ a: 1 }) } },
      creationOf(newId(), one),
    ];
    const created = (await createInline(store.db, creations)).map((each) => must(each, "the run"));
    expect(created.map(({ lease }) => lease.runId)).toEqual(creations.map(({ runId }) => runId));
    const heads = await Promise.all(created.map(({ lease }) => headOf(store, lease)));
    expect(heads).toMatchObject([
      { agent: "x", version: "1", tags: ["a", "b"], inputDigest: "digest", parent: parent.runId },
      { agent: null, version: null, tags: [], inputDigest: null, parent: null },
      { agent: null },
    ]);
    expect(heads.map(({ owner }) => owner?.number)).toEqual([other.number, one.number, one.number]);
    for (const [i, { lease, at }] of created.entries()) {
      const { start } = must(creations[i], "what it was created by");
      expect(await entriesOf(store, lease)).toMatchObject([
        { ...start, seq: 1, epoch: 0, at },
        { kind: "takeover", after: "start", seq: 2, epoch: 1, at },
      ]);
    }
  });

  test("also where another one that was to be created with it is there, or has a worker whose time is over", async () => {
    const [worker, dead] = [await aWorker(store), await aWorker(store)];
    const there = await aRun(store, worker);
    await expire(store, dead);
    const runIds = [there.runId, newId(), newId()];
    const creations = runIds.map((runId, i) => creationOf(runId, i === 2 ? dead : worker));
    const created = await createInline(store.db, creations);
    expect(created.map((each) => each?.lease.runId)).toEqual([undefined, runIds[1], undefined]);
  });

  test("also where Postgres refuses another one that began at the same time", async () => {
    const [worker, creator] = [await aWorker(store), new Creator(store.db)];
    const [first, bad, good] = [newId(), "with \0 in it", newId()].map((runId) =>
      creator.create(creationOf(runId, worker)),
    );
    await expect(bad).rejects.toMatchObject({ code: "22021" });
    expect(await first).toBeDefined();
    expect(await good).toBeDefined();
  });

  test("by one process, where several create many of the same runs at once, each in an order of its own", async () => {
    const workers = await Promise.all(Array.from({ length: 6 }, () => aWorker(store)));
    const runIds = Array.from({ length: 40 }, newId);
    const created = await Promise.all(
      workers.map((worker, i) => {
        const turned = [...runIds.slice(i * 7), ...runIds.slice(0, i * 7)];
        return createInline(
          store.db,
          (i % 2 ? turned.toReversed() : turned).map((runId) => creationOf(runId, worker)),
        );
      }),
    );
    const got = created.flat().flatMap((each) => (each ? [each.lease.runId] : []));
    expect(got.toSorted()).toEqual(runIds.toSorted());
  });

  const creationOf = (runId: string, worker: Worker): Creation => ({
    runId,
    start: { kind: "start", inline: true },
    inputDigest: undefined,
    worker,
  });
  const create = async (runId: string, worker: Worker) =>
    (await createInline(store.db, [creationOf(runId, worker)]))[0];
});

describe("a run parks", () => {
  test("and has no owner then", async () => {
    const lease = await aRun(store, await aWorker(store));
    expect(await park(store.db, { lease, number: 1 }, 2, { waitingOn: "doubt" })).toBe(true);
    expect(await headOf(store, lease)).toMatchObject({
      status: "waiting",
      waitingOn: "doubt",
      owner: null,
      seq: 3,
    });
  });

  test("not where something was written that its owner has not seen", async () => {
    const lease = await aRun(store, await aWorker(store));
    await writeOutside(store.db, lease, 2, outside);
    expect(await park(store.db, { lease, number: 1 }, 2, { waitingOn: "doubt" })).toBe(false);
    expect(await headOf(store, lease)).toMatchObject({ status: "running" });
    expect(await park(store.db, { lease, number: 1 }, 3, { waitingOn: "doubt" })).toBe(true);
  });

  test("once, though it is asked twice because the answer was lost", async () => {
    const lease = await aRun(store, await aWorker(store));
    await park(store.db, { lease, number: 1 }, 2, { waitingOn: "doubt" });
    expect(await park(store.db, { lease, number: 1 }, 2, { waitingOn: "doubt" })).toBe(true);
    expect(await toldOf(store, lease)).toEqual(["note"]);
  });

  test("not by somebody it was taken from", async () => {
    const worker = await aWorker(store);
    const lease = await aRun(store, worker);
    await takeOver(store, lease, worker);
    expect(await park(store.db, { lease, number: 1 }, 3, { waitingOn: "doubt" })).toBe(false);
    expect(await headOf(store, lease)).toMatchObject({ status: "running", epoch: 2 });
  });

  test("not by somebody it was taken from, though its taker has parked it as well", async () => {
    const worker = await aWorker(store);
    const lease = await aRun(store, worker);
    const taken = await takeOver(store, lease, worker);
    expect(await park(store.db, { lease: taken, number: 1 }, 3, { waitingOn: "doubt" })).toBe(true);
    expect(await park(store.db, { lease, number: 1 }, 2, { waitingOn: "doubt" })).toBe(false);
  });

  test("not while an append of its own is still to land", async () => {
    const lease = await aRun(store, await aWorker(store));
    expect(await park(store.db, { lease, number: 2 }, 2, { waitingOn: "doubt" })).toBe(false);
  });

  test("not again by an answer that came late, once it was taken on", async () => {
    const worker = await aWorker(store);
    const lease = await aRun(store, worker);
    await park(store.db, { lease, number: 1 }, 2, { waitingOn: "caller" });
    const taken = await take(lease, worker);
    expect(await park(store.db, { lease, number: 1 }, 3, { waitingOn: "caller" })).toBe(false);
    expect(await headOf(store, lease)).toMatchObject({ status: "running", epoch: taken?.lease.epoch });
  });

  test("not once it has ended", async () => {
    const lease = await aRun(store, await aWorker(store));
    await append(store.db, [
      { lease, number: 1, facts: [{ kind: "outcome", status: "succeeded", kept: true }], ends: "succeeded" },
    ]);
    expect(await park(store.db, { lease, number: 2 }, 3, { waitingOn: "caller" })).toBe(false);
    expect(await headOf(store, lease)).toMatchObject({ status: "succeeded" });
  });
});

describe("who is dead is noticed", () => {
  test("and the run then waits for a caller, its owner fenced", async () => {
    const worker = await aWorker(store);
    const lease = await aRun(store, worker);
    await expire(store, worker);
    await noticeDead(store.db, "witness:1");
    expect(await headOf(store, lease)).toMatchObject({ status: "waiting", waitingOn: "caller", epoch: 2 });
    expect(await append(store.db, [{ lease, number: 1, facts: [noteOf("late")] }])).toEqual([undefined]);
    expect((await entriesOf(store, lease)).at(-1)).toMatchObject({
      kind: "takeover",
      after: "crash",
      epoch: 2,
    });
  });

  test("not while it is alive", async () => {
    const lease = await aRun(store, await aWorker(store));
    await noticeDead(store.db, "witness:1");
    expect(await headOf(store, lease)).toMatchObject({ status: "running", epoch: 1 });
  });

  test("and a run that workers pick up is queued, its owner fenced", async () => {
    const worker = await aWorker(store);
    const lease = await aRun(store, worker);
    await store.sql("update holdfast.runs set inline = false where run = $1", [lease.run]);
    await expire(store, worker);
    await noticeDead(store.db, "witness:1");
    expect(await headOf(store, lease)).toMatchObject({ status: "queued", epoch: 2, owner: null });
  });

  test("once, by whoever is first of many", async () => {
    const worker = await aWorker(store);
    const runs = await Promise.all(Array.from({ length: 5 }, () => aRun(store, worker)));
    await expire(store, worker);
    await Promise.all(Array.from({ length: 6 }, () => noticeDead(store.db, "witness:1")));
    for (const lease of runs) expect(await toldOf(store, lease)).toEqual(["takeover"]);
  });

  test("not where somebody alive has taken it since it was seen without an owner", async () => {
    const [dead, taker] = [await aWorker(store), await aWorker(store)];
    const [first, second] = [await aRun(store, dead), await aRun(store, dead)];
    await expire(store, dead);
    // The first run's update waits here. The second has been seen by then, and is not locked yet.
    await store.sql(`
      create function wait_here() returns trigger language plpgsql as
        $$ begin perform pg_advisory_xact_lock(42); return new; end $$`);
    await store.sql(`
      create trigger wait_here before update on holdfast.runs
         for each row when (new.run = ${first.run} and new.waiting_on = 'caller') execute function wait_here()`);
    onTestFinished(() => store.sql("drop function wait_here cascade").then(() => {}));
    const gate = await store.session();
    await gate.query("select pg_advisory_lock(42)");
    const noticing = noticeDead(store.db, "witness:1");
    await eventually(() =>
      store.sql("select from pg_locks where objid = 42 and not granted").then(({ length }) => length > 0),
    );
    const taken = await take(second, taker);
    await gate.query("select pg_advisory_unlock(42)");
    await noticing;
    expect(taken).toBeDefined();
    expect(await headOf(store, first)).toMatchObject({ status: "waiting" });
    expect(await headOf(store, second)).toMatchObject({ status: "running", epoch: 2 });
  });

  test("of the runs that nobody holds, though somebody holds the head of another", async () => {
    const worker = await aWorker(store);
    const [held, free] = [await aRun(store, worker), await aRun(store, worker)];
    const holder = await store.session();
    await holder.query("begin");
    await holder.query("select from holdfast.runs where run = $1 for update", [held.run]);
    await expire(store, worker);
    await noticeDead(store.db, "witness:1");
    expect(await headOf(store, free)).toMatchObject({ status: "waiting" });
    await holder.query("rollback");
    expect(await headOf(store, held)).toMatchObject({ status: "running" });
  });

  test("of the other runs, though one cannot be taken", async () => {
    const worker = await aWorker(store);
    const [stuck, free] = [await aRun(store, worker), await aRun(store, worker)];
    await store.sql(`
      create function refuse_one() returns trigger language plpgsql as $$ begin raise exception 'stuck'; end $$`);
    await store.sql(`
      create trigger refuse_one before update on holdfast.runs
         for each row when (new.run = ${stuck.run}) execute function refuse_one()`);
    onTestFinished(() => store.sql("drop function refuse_one cascade").then(() => {}));
    await expire(store, worker);
    await expect(noticeDead(store.db, "witness:1")).rejects.toThrow("stuck");
    expect(await headOf(store, free)).toMatchObject({ status: "waiting", epoch: 2 });
    expect(await headOf(store, stuck)).toMatchObject({ status: "running", epoch: 1 });
  });
});

describe("a lease is given back", () => {
  test("so that the run waits for a caller", async () => {
    const worker = await aWorker(store);
    const lease = await aRun(store, worker);
    await giveBack(store.db, worker.number, [`${lease.run}/${lease.epoch}`]);
    expect(await headOf(store, lease)).toMatchObject({ status: "waiting", waitingOn: "caller", owner: null });
  });

  test("so that a run that workers pick up is queued", async () => {
    const worker = await aWorker(store);
    const lease = await aRun(store, worker);
    await store.sql("update holdfast.runs set inline = false where run = $1", [lease.run]);
    await giveBack(store.db, worker.number, [`${lease.run}/${lease.epoch}`]);
    expect(await headOf(store, lease)).toMatchObject({ status: "queued", waitingOn: null, owner: null });
  });

  test("of the runs that are named, and only one's own", async () => {
    const [mine, other] = [await aWorker(store), await aWorker(store)];
    const [kept, theirs] = [await aRun(store, mine), await aRun(store, other)];
    await giveBack(store.db, mine.number, [`${theirs.run}/${theirs.epoch}`]);
    expect(await headOf(store, kept)).toMatchObject({ status: "running" });
    expect(await headOf(store, theirs)).toMatchObject({ status: "running" });
  });
});

describe("crashes are counted", () => {
  test("one up for each that brought nothing new", async () => {
    const lease = await aRun(store, await aWorker(store));
    expect(await crash(lease, 3)).toEqual({ crashes: 3, retries: 0 });
  });

  test("from one again after an epoch that recorded something", async () => {
    const lease = await aRun(store, await aWorker(store));
    await crash(lease, 2);
    await append(store.db, [{ lease: { ...lease, epoch: 3 }, number: 1, facts: [observed("look#0", 1)] }]);
    expect(await crash(lease, 1)).toEqual({ crashes: 1, retries: 0 });
  });

  test("from one again also where what was recorded since the last one came before the run parked", async () => {
    const lease = await aRun(store, await aWorker(store));
    await crash(lease, 2);
    const third = { ...lease, epoch: 3 };
    await append(store.db, [{ lease: third, number: 1, facts: [observed("look#0", 1)] }]);
    expect(await park(store.db, { lease: third, number: 2 }, 5, { waitingOn: "timer" })).toBe(true);
    await takeLease(store.db, lease, await aWorker(store), "wait", { ...looked, epoch: 3 });
    expect(await crash(lease, 1)).toEqual({ crashes: 1, retries: 0 });
    expect(await crash(lease, 1)).toEqual({ crashes: 2, retries: 0 });
  });

  test("also where they are only noticed", async () => {
    const worker = await aWorker(store);
    const lease = await aRun(store, worker);
    await expire(store, worker);
    await noticeDead(store.db, "witness:1");
    expect(await counted(lease)).toEqual({ crashes: 1, retries: 0 });
  });

  test("not where a run that waited goes on", async () => {
    const lease = await aRun(store, await aWorker(store));
    await park(store.db, { lease, number: 1 }, 2, { waitingOn: "doubt" });
    await take(lease, await aWorker(store));
    expect(await counted(lease)).toEqual({ crashes: 0, retries: 0 });
  });

  async function crash(lease: Lease, times: number) {
    for (let i = 0; i < times; i++) {
      const { owner, epoch } = await headOf(store, lease);
      await expire(store, { number: owner?.number ?? 0, name: "" });
      await take(lease, await aWorker(store), { epoch });
    }
    return await counted(lease);
  }
});

describe("a worker that leaves", () => {
  test("takes its row with it", async () => {
    const worker = await aWorker(store);
    await retireWorker(store.db, worker.number);
    expect(await beat(store.db, worker.number, 1, undefined)).toBeUndefined();
  });

  test("leaves its row while it leases something", async () => {
    const worker = await aWorker(store);
    await aRun(store, worker);
    await retireWorker(store.db, worker.number);
    expect(await beat(store.db, worker.number, 3600, undefined)).toHaveLength(1);
  });
});

describe("a worker that was killed", () => {
  const past = (hours: number, worker: Worker) =>
    store.sql("update holdfast.workers set until = now() - make_interval(hours => $2) where worker = $1", [
      worker.number,
      hours,
    ]);
  const isThere = async ({ number }: Worker) =>
    (await store.sql("select from holdfast.workers where worker = $1", [number])).length > 0;

  test("is forgotten once it has been dead for an hour and leases nothing", async () => {
    const [old, recent, leasing, alive] = await Promise.all([1, 2, 3, 4].map(() => aWorker(store)));
    await aRun(store, must(leasing, "the worker"));
    await past(2, must(old, "the worker"));
    await past(0, must(recent, "the worker"));
    await past(2, must(leasing, "the worker"));
    await forgetWorkers(store.db);
    const all = [old, recent, leasing, alive].map((worker) => isThere(must(worker, "the worker")));
    expect(await Promise.all(all)).toEqual([false, true, true, true]);
  });

  test("is forgotten by whoever beats", async () => {
    const killed = await aWorker(store);
    await past(2, killed);
    const holdfast = await openHoldfast({ database: store.url });
    onTestFinished(() => holdfast.close());
    await holdfast.run(newId(), () => 1);
    await eventually(async () => !(await isThere(killed)));
    expect(await isThere(killed)).toBe(false);
  });
});

test("a beat tells what its worker leases, and nobody else's", async () => {
  const [mine, other] = [await aWorker(store), await aWorker(store)];
  const [one, two] = [await aRun(store, mine), await aRun(store, mine)];
  await aRun(store, other);
  expect(await beat(store.db, mine.number, 3600, undefined)).toEqual([`${one.run}/1`, `${two.run}/1`]);
});

async function counted({ run }: Lease) {
  const [row] = await store.sql("select crashes, retries from holdfast.runs where run = $1", [run]);
  return row;
}
