import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { must } from "../must.ts";
import { openDatabase } from "../open-database.ts";
import type { Database, Transaction } from "../store/database.ts";
import { park, takeLease } from "../store/lease.ts";
import { append, type Lease, readEntries, whyRefused } from "../store/ledger.ts";
import { migrate } from "../store/migrate.ts";
import { writeOutside } from "../store/outside.ts";
import { createInline, getHead } from "../store/runs.ts";
import { registerWorker } from "../store/workers.ts";
import { doubted, intended, observed, resolved } from "./given.ts";

export interface DatabaseContract {
  /** An empty database of the contract's own. */
  readonly database: () => Promise<{ readonly url: string; drop(): Promise<void> }>;
}

/**
 * What Holdfast needs of a Postgres, word for word the same for each: the server behind an address, the embedded one, one
 * behind a pooler. Calls vitest's `describe` and `test`.
 */
export function databaseContract(name: string, { database }: DatabaseContract): void {
  describe(`the database contract: ${name}`, () => {
    let made: Awaited<ReturnType<DatabaseContract["database"]>>;
    let db: Database;
    let runs = 0;

    beforeAll(async () => {
      made = await database();
      db = await openDatabase(made.url);
    }, 60_000);
    afterAll(async () => {
      await db?.close();
      await made?.drop();
    });

    /** A run of an owner who is alive: two entries, epoch 1. */
    async function aRun(): Promise<Lease> {
      const runId = `contract-${++runs}`;
      const start = { kind: "start", inline: true } as const;
      const [created] = await createInline(db, [
        { runId, start, inputDigest: undefined, worker: await aWorker() },
      ]);
      return must(created, "the run").lease;
    }
    async function aWorker(): Promise<{ number: number; name: string }> {
      const worker = { leaseSeconds: 3600, host: "contract", pid: 1, version: "0" };
      const number = must(await registerWorker(db, worker), "the worker");
      return { number, name: `contract:${number}` };
    }
    const says = (lease: Lease, number: number, step: string, value: unknown = number) =>
      append(db, [{ lease, number, facts: [observed(step, value)] }]).then(([landed]) => landed);
    const told = async (lease: Lease) =>
      (await readEntries(db, lease, 2)).map((entry) => ("step" in entry ? entry.step : entry.kind));

    test("the schema is made once, however many make it at once", async () => {
      const others = await Promise.all([1, 2, 3].map(() => openDatabase(made.url)));
      await Promise.all([db, ...others].map((one) => migrate(one)));
      await Promise.all(others.map((one) => one.close()));
      const { rows } = await db.query<{ n: number }>("select count(*)::int as n from holdfast.runs");
      expect(rows).toEqual([{ n: 0 }]);
    });

    test("entries are numbered without gaps, and carry the server's time", async () => {
      const lease = await aRun();
      for (let n = 1; n <= 20; n++) await says(lease, n, `s#${n}`);
      const entries = await readEntries(db, lease);
      expect(entries.map(({ seq }) => seq)).toEqual(Array.from({ length: 22 }, (_, i) => i + 1));
      const { rows } = await db.query<{ now: Date }>("select now()");
      expect(entries.at(-1)?.at.getTime()).toBeLessThanOrEqual(must(rows[0], "the time").now.getTime());
    });

    test("what is appended comes back as it was: other scripts, quotes, backslashes, megabytes", async () => {
      const lease = await aRun();
      const values = ["naïve 漢字 🪸", `"'\\u0000\\`, { deep: [[[{}]]] }, "x".repeat(3_000_000)];
      for (const [i, value] of values.entries()) await says(lease, i + 1, `s#${i}`, value);
      const entries = await readEntries(db, lease, 2);
      expect(entries.map((entry) => "value" in entry && entry.value)).toEqual(
        values.map((value) => observed("s", value).value),
      );
    });

    test("an append that is sent again lands once", async () => {
      const lease = await aRun();
      const first = must(await says(lease, 1, "s#0"), "the append");
      expect(await says(lease, 1, "s#0")).toBeUndefined();
      const again = await whyRefused(db, { lease, number: 1, facts: [observed("s#0", 1)] });
      expect(again).toMatchObject({ after: first.after });
      expect(await told(lease)).toEqual(["s#0"]);
    });

    test("of several that take a run over, one gets it, and the one that it was taken from writes nothing", async () => {
      const lease = await aRun();
      await db.query("update holdfast.workers set until = now() - interval '1 second'");
      const takers = await Promise.all(Array.from({ length: 6 }, aWorker));
      const sight = { epoch: 1, beats: null, gone: false, mine: false };
      const taken = await Promise.all(takers.map((taker) => takeLease(db, lease, taker, "crash", sight)));
      expect(taken.filter(Boolean)).toHaveLength(1);
      expect(await says(lease, 1, "late")).toBeUndefined();
      expect(await park(db, { lease, number: 1 }, 3, { waitingOn: "doubt" })).toBe(false);
      expect(await told(lease)).toEqual(["takeover"]);
    });

    test("an append and a takeover that race: whichever is first, the ledger has one order of epochs", async () => {
      for (let round = 0; round < 20; round++) {
        const lease = await aRun();
        const taker = await aWorker();
        await db.query(
          "update holdfast.workers set until = now() - interval '1 second' where worker = (select leased_by from holdfast.runs where run = $1)",
          [lease.run],
        );
        const sight = { epoch: 1, beats: null, gone: false, mine: false };
        await Promise.all([
          append(db, [{ lease, number: 1, facts: [intended("pay#0")] }]),
          takeLease(db, lease, taker, "crash", sight),
        ]);
        const epochs = (await readEntries(db, lease)).map(({ epoch }) => epoch);
        expect(epochs).toEqual(epochs.toSorted((a, b) => a - b));
        expect(epochs.at(-1)).toBe(2);
      }
    });

    test("a head that somebody holds keeps back its own run, and no other of the same statement", async () => {
      const [held, free] = [await aRun(), await aRun()];
      const holder = await db.begin(60_000);
      await holder.query("select from holdfast.runs where run = $1 for update", [held.run]);
      const appends = [held, free].map((lease) => ({ lease, number: 1, facts: [observed("s#0", 1)] }));
      const [passedOver, landed] = await append(db, appends);
      await holder.rollback();
      expect(passedOver).toBeUndefined();
      expect(landed).toMatchObject({ after: 2 });
      expect(await says(held, 1, "s#0")).toMatchObject({ after: 2 });
    });

    test("of two who decide by the same ledger, one writes", async () => {
      const lease = await aRun();
      await append(db, [{ lease, number: 1, facts: [intended("pay#0"), doubted("pay#0")] }]);
      const said = await Promise.all(
        Array.from({ length: 5 }, (_, i) => writeOutside(db, lease, 4, resolved("pay#0", i % 2 === 0))),
      );
      expect(said.filter(Boolean)).toHaveLength(1);
      expect(await getHead(db, lease.runId)).toMatchObject({ seq: 5 });
    });

    test("a run does not park where something was written that its owner has not seen", async () => {
      const lease = await aRun();
      await append(db, [{ lease, number: 1, facts: [intended("pay#0"), doubted("pay#0")] }]);
      await writeOutside(db, lease, 4, resolved("pay#0", true));
      expect(await park(db, { lease, number: 2 }, 4, { waitingOn: "doubt" })).toBe(false);
      expect(await park(db, { lease, number: 2 }, 5, { waitingOn: "doubt" })).toBe(true);
    });

    test.each([
      "update holdfast.entries set body = '{}'",
      "delete from holdfast.entries",
      "truncate holdfast.entries",
    ])("the ledger refuses: %s", async (statement) => {
      await aRun();
      await expect(db.query(statement)).rejects.toThrow("append-only");
    });

    test("a transaction's rows and its record are there together, or neither is", async () => {
      await db.query("create table contract_rows (n int)");
      const lease = await aRun();
      const write = async (tx: Transaction, number: number) => {
        await tx.query("insert into contract_rows values ($1)", [number]);
        await append(tx, [{ lease, number, facts: [observed(`s#${number}`, number)] }]);
      };
      const undone = await db.begin(60_000);
      await write(undone, 1);
      await undone.rollback();
      const done = await db.begin(60_000);
      await write(done, 1);
      await done.commit();
      const { rows } = await db.query("select n from contract_rows");
      expect(rows).toEqual([{ n: 1 }]);
      expect(await told(lease)).toEqual(["s#1"]);
    });

    test("what is abandoned in a transaction is not there, and blocks nobody", async () => {
      const lease = await aRun();
      const left = await db.begin(60_000);
      await append(left, [{ lease, number: 1, facts: [observed("left", 1)] }]);
      left.abandon();
      expect(await says(lease, 1, "s#0")).toMatchObject({ after: 2 });
      expect(await told(lease)).toEqual(["s#0"]);
    });

    test("two hundred statements at once are all answered", async () => {
      const leases = await Promise.all(Array.from({ length: 200 }, aRun));
      const landed = await Promise.all(leases.map((lease) => says(lease, 1, "s#0")));
      expect(landed.every((one) => one?.after === 2)).toBe(true);
    });

    test("a value that Postgres cannot take is refused, and the connection serves the next statement", async () => {
      const lease = await aRun();
      await expect(db.query("select $1::text", ["a\0b"])).rejects.toThrow("invalid byte sequence");
      expect(await says(lease, 1, "s#0")).toMatchObject({ after: 2 });
    });
  });
}
