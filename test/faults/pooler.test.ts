import { openHoldfast, step, tx } from "@holdfast/core";
import { databaseContract } from "@holdfast/core/testing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { freshDatabase } from "../fresh-database.ts";
import { Child } from "../process.ts";
import { bench, eventually, newRunId, soundLedger } from "./bench.ts";
import { PGBOUNCER, type Pooler, startPooler } from "./pooler.ts";

const here = bench();

describe.skipIf(!PGBOUNCER)(
  "behind PgBouncer in transaction mode (skipped where it is not installed)",
  () => {
    let pooler: Pooler;
    beforeAll(async () => {
      pooler = await startPooler(here.url);
      await here.sql("create table paid (run_id text, n int)");
    });
    afterAll(() => pooler.stop());

    /** Five effects, every second of which writes rows of its own with its record. */
    const fiveEffects = (runId: string, calls: string[], disturb: (n: number) => unknown = () => {}) =>
      async function work() {
        for (let n = 0; n < 5; n++) {
          const effect = n % 2 === 0 ? "once" : "transaction";
          const body = async () => {
            calls.push(`${runId}/${n}`);
            if (effect === "transaction") await tx().query("insert into paid values ($1, $2)", [runId, n]);
            await disturb(n);
          };
          await step("effect", body, { input: n, effect });
        }
        return "all five";
      };
    const fiveOf = (runId: string) => [0, 1, 2, 3, 4].map((n) => `${runId}/${n}`);

    databaseContract("a server behind PgBouncer in transaction mode", {
      async database() {
        const behind = await freshDatabase();
        const own = await startPooler(behind.url);
        const drop = async () => {
          await own.stop();
          await behind.drop();
        };
        return { url: own.url, drop };
      },
    });

    test("forty runs at once share three connections, and each effect happens once", async () => {
      const hf = await here.open({ database: pooler.url });
      const calls: string[] = [];
      const runs = Array.from({ length: 40 }, newRunId);
      await Promise.all(runs.map((runId) => hf.run(runId, fiveEffects(runId, calls))));
      expect(calls.toSorted()).toEqual(runs.flatMap(fiveOf).toSorted());
      for (const runId of runs) await soundLedger(hf, runId);
      const rows = await here.sql("select count(*)::int as n from paid where run_id = any ($1)", [runs]);
      expect(rows).toEqual([{ n: 80 }]);
    });

    test("a run outlives its pooler, which is killed and started again", async () => {
      const hf = await here.open({ database: pooler.url });
      const [runId, calls] = [newRunId(), [] as string[]];
      const restart = async (n: number) => {
        if (n === 2) await pooler.restart();
      };
      expect(await hf.run(runId, fiveEffects(runId, calls, restart))).toBe("all five");
      expect(calls).toEqual(fiveOf(runId));
      expect((await soundLedger(hf, runId)).epochs.at(-1)).toBe(1);
    });

    test("the worker holds no session lock, and says so", async () => {
      const hf = await here.open({ database: pooler.url });
      await hf.run(newRunId(), async () => {
        const workers = await here.sql("select locked_in from holdfast.workers where until > now()");
        expect(workers).toEqual([{ locked_in: null }]);
        const locks = await here.sql(
          `select from pg_locks join pg_database d on d.oid = database
          where locktype = 'advisory' and datname = current_database()`,
        );
        expect(locks).toEqual([]);
      });
    });

    test("the run of a killed process is taken over once its time to live is over, and not sooner", async () => {
      const runId = newRunId();
      const killed = new Child("race/worker.ts", [pooler.url, runId, "refuse", "3600", "call"]);
      await killed.says("ready");
      killed.tell("go");
      await killed.says("called");
      await killed.kill("SIGKILL");
      const next = await openHoldfast({ database: pooler.url, graceSeconds: 0.1 });
      for (let tries = 0; tries < 5; tries++) {
        await expect(next.run(runId, () => 1)).rejects.toThrow("(RUN_LEASED)");
      }
      await here.sql("update holdfast.workers set until = now() where until > now() + interval '10 minutes'");
      await eventually(
        async () => (await next.run(runId, () => 1).catch((error) => error.code)) !== "RUN_LEASED",
      );
      expect(await next.runs.get(runId)).toMatchObject({ attempts: { crashes: 1 } });
      await next.close();
    });
  },
);
