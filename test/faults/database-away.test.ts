import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync, mkdtempSync, rmdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { HoldfastError, once, openHoldfast, signal, step } from "@holdfast/core";
import { tapped } from "@holdfast/core/testing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { fromPg } from "../../packages/core/src/store/pg.ts";
import { Child } from "../process.ts";
import { bench, eventually, forever, newRunId, soundLedger } from "./bench.ts";
import { BIN, type OwnServer, startOwnServer } from "./own-server.ts";

const here = bench();

/** Ten effects in a row, none of which may be repeated; `disturb` is called in the body of each. */
const tenEffects = (calls: number[], disturb: (n: number) => unknown) => async () => {
  for (let n = 0; n < 10; n++) {
    await step(
      "effect",
      async () => {
        calls.push(n);
        await disturb(n);
      },
      { input: n },
    );
  }
  return "all ten";
};
const upToTen = Array.from({ length: 10 }, (_, n) => n);

describe("a run goes on, and repeats nothing,", () => {
  test.each([
    ["all connections are", "%"],
    ["the pool's connections are", "faults"],
    ["the heartbeat's connection is", "holdfast heartbeat"],
  ])("where %s cut again and again", async (_, application) => {
    const hf = await here.open({ database: here.pool() });
    const [runId, calls] = [newRunId(), [] as number[]];
    expect(
      await hf.run(
        runId,
        tenEffects(calls, () => here.terminate(application)),
      ),
    ).toBe("all ten");
    expect(calls).toEqual(upToTen);
    expect((await soundLedger(hf, runId)).epochs.at(-1)).toBe(1);
  });

  test("where all connections are cut under twenty runs at once", async () => {
    const hf = await here.open({ database: here.proxy.url });
    const runs = Array.from({ length: 20 }, () => ({ runId: newRunId(), calls: [] as number[] }));
    const cut = (n: number) => {
      if (n % 3 === 1) here.proxy.cut();
    };
    const values = runs.map(({ runId, calls }) => hf.run(runId, tenEffects(calls, cut)));
    expect(new Set(await Promise.all(values))).toEqual(new Set(["all ten"]));
    for (const { runId, calls } of runs) {
      expect(calls).toEqual(upToTen);
      await soundLedger(hf, runId); // of a second epoch where it was the creation's answer that was cut off
    }
  });

  test("where the server is out of reach for some time", async () => {
    const hf = await here.open({ database: here.proxy.url });
    const [runId, calls] = [newRunId(), [] as number[]];
    let mended: Promise<void> | undefined;
    const sever = (n: number) => {
      if (n !== 3) return;
      here.proxy.sever();
      mended = here.proxy.refused(8).then(() => here.proxy.mend());
    };
    expect(await hf.run(runId, tenEffects(calls, sever))).toBe("all ten");
    await mended;
    expect(calls).toEqual(upToTen);
    expect((await soundLedger(hf, runId)).epochs.at(-1)).toBe(1);
  });

  test("where the database only reads for some time, its sessions left as they are afterwards", async () => {
    const hf = await here.open({ database: here.pool() });
    const [runId, calls] = [newRunId(), [] as number[]];
    const database = new URL(here.url).pathname.slice(1);
    let mended: Promise<void> | undefined;
    const readOnly = async (n: number) => {
      if (n !== 3) return;
      await here.sql(`alter database ${database} set default_transaction_read_only = on`);
      await here.terminate();
      mended = (async () => {
        // The append that has been refused is the last thing that a session of the pool was asked.
        await eventually(async () => {
          const rows = await here.sql(
            `select from pg_stat_activity where datname = current_database() and application_name = 'faults'
                and state = 'idle' and query like '%want (run, epoch%'`,
          );
          return rows.length > 0;
        });
        await alterBack(database);
      })();
    };
    expect(await hf.run(runId, tenEffects(calls, readOnly))).toBe("all ten");
    await mended;
    expect(calls).toEqual(upToTen);
    expect((await soundLedger(hf, runId)).epochs.at(-1)).toBe(1);
  });
});

async function alterBack(database: string): Promise<void> {
  const session = await here.pool().connect();
  try {
    await session.query("set default_transaction_read_only = off");
    await session.query(`alter database ${database} reset default_transaction_read_only`);
  } finally {
    session.release(true);
  }
}

test("a run whose worker cannot reach the database for longer than its lease begins no call more, and goes on when it is run again", async () => {
  const hf = await here.open({ database: here.proxy.url, leaseSeconds: 1 });
  const [runId, calls] = [newRunId(), [] as number[]];
  const aborted = Promise.withResolvers<void>();
  const stops = tenEffects(calls, (n) => {
    if (n !== 3) return;
    signal().addEventListener("abort", () => aborted.resolve());
    here.proxy.sever();
  });
  const stopped = hf.run(runId, stops);
  stopped.catch(() => {});
  await aborted.promise;
  here.proxy.mend();
  await expect(stopped).rejects.toThrow("(DATABASE_UNAVAILABLE)");
  expect(calls).toEqual([0, 1, 2, 3]);

  // It is known here what became of the call: that goes on record late, as long as nobody else has taken the run.
  const other = await here.open();
  const again = other.run(
    runId,
    tenEffects(calls, () => {}),
    { onLeased: "wait" },
  );
  expect(await again).toBe("all ten");
  expect(calls).toEqual(upToTen);
  await soundLedger(other, runId);
});

test("a statement waits for a server that is out of reach, and for no longer than its patience", async () => {
  const pool = here.pool(here.proxy.url);
  const db = fromPg(pool, { patienceMs: 300, owned: false });
  here.proxy.sever();
  const back = db.query("select 1 as one");
  await here.proxy.refused(2);
  here.proxy.mend();
  expect((await back).rows).toEqual([{ one: 1 }]);

  here.proxy.sever();
  await expect(db.query("select 1")).rejects.toSatisfy((error) =>
    HoldfastError.is(error, "DATABASE_UNAVAILABLE"),
  );
  await expect(db.begin(1000)).rejects.toSatisfy((error) => HoldfastError.is(error, "DATABASE_UNAVAILABLE"));
  here.proxy.mend();
  expect((await db.query("select 1 as one")).rows).toEqual([{ one: 1 }]);
});

test("a statement that is wrong is not tried again", async () => {
  let sent = 0;
  const pool = tapped(here.pool(), (_, send) => {
    sent++;
    return send();
  });
  await expect(fromPg(pool, { owned: false }).query("select 1 / 0")).rejects.toThrow("division by zero");
  expect(sent).toBe(1);
});

test("a process whose connection is cut in the middle of a transaction lives, and its run is told", async () => {
  const child = new Child("faults/cut-transaction.ts", [here.url, newRunId()]);
  const { pid } = await child.says("cutting");
  await here.sql("select pg_terminate_backend($1)", [pid]);
  await child.says("refused");
  expect((await child.exited()).code).toBe(0);
});

test("a pool that a Holdfast was given has as many listeners when that is closed as before", async () => {
  const pool = here.pool();
  const before = pool.listenerCount("error");
  await (await openHoldfast({ database: pool })).close();
  expect(pool.listenerCount("error")).toBe(before);
});

describe.skipIf(!existsSync(`${BIN}/postgres`) || process.getuid?.() !== 0)("a server of one's own", () => {
  let server: OwnServer;
  beforeAll(async () => {
    server = await startOwnServer();
  });
  afterAll(() => server.stop());

  test("that is restarted under a run again and again does not keep it from its end", async () => {
    const hf = await openHoldfast({ database: server.url });
    const [runId, calls] = [newRunId(), [] as number[]];
    const restart = async (n: number) => {
      if (n === 2) await server.restart();
      if (n === 5) await server.crash();
    };
    expect(await hf.run(runId, tenEffects(calls, restart))).toBe("all ten");
    expect(calls).toEqual(upToTen);
    expect((await soundLedger(hf, runId)).epochs.at(-1)).toBe(1);
    await hf.close();
  });

  test.each(["restart", "crash"] as const)(
    "whose %s ends all sessions makes no live worker's run anybody else's, however short the grace",
    async (how) => {
      const runId = `stopped-${how}`;
      const stopped = new Child("race/worker.ts", [server.url, runId, "refuse", "60", "call"]);
      await stopped.says("ready");
      stopped.tell("go");
      await stopped.says("called");
      await stopped.kill("SIGSTOP");
      await server[how]();

      const other = await openHoldfast({ database: server.url, graceSeconds: 0.1 });
      for (let tries = 0; tries < 5; tries++) {
        await expect(other.run(runId, forever)).rejects.toThrow("(RUN_LEASED)");
      }
      await stopped.kill("SIGCONT");
      stopped.tell("go on");
      await stopped.says("value");
      await stopped.exited();
      expect(await other.runs.get(runId)).toMatchObject({ status: "succeeded", epoch: 1 });
      await other.close();
    },
  );
});

describe.skipIf(!canMount())("a server whose disk is full (skipped where no disk may be mounted)", () => {
  let server: OwnServer;
  beforeAll(async () => {
    server = await startOwnServer({ diskMB: 96 });
    const hf = await openHoldfast({ database: server.url });
    await hf.close();
  });
  afterAll(() => server.stop());

  /** Ten effects whose outputs need room; the disk is full from the body of the fourth on. */
  const tenLarge = (calls: number[]) => async () => {
    for (let n = 0; n < 10; n++) {
      const body = async () => {
        calls.push(n);
        if (n === 3) await server.fillDisk();
        return randomBytes(200_000).toString("base64");
      };
      await step("effect", body, { input: n });
    }
    return "all ten";
  };

  test("is waited for, and once there is room the run goes on and repeats nothing", async () => {
    let refusals = 0;
    const pool = here.pool(server.url);
    const hf = await openHoldfast({
      database: tapped(pool, async (_, send) => {
        try {
          return await send();
        } catch (error) {
          if ((error as { code?: string }).code === "53100" && ++refusals === 3) await server.freeDisk();
          throw error;
        }
      }),
    });
    const [runId, calls] = [newRunId(), [] as number[]];
    expect(await hf.run(runId, tenLarge(calls))).toBe("all ten");
    expect(refusals).toBeGreaterThanOrEqual(3);
    expect(calls).toEqual(upToTen);
    expect((await soundLedger(hf, runId)).epochs.at(-1)).toBe(1);
    await hf.close();
  });
});

/** May this process mount a file system? Root may, outside of most containers. */
function canMount(): boolean {
  if (!existsSync(`${BIN}/postgres`) || process.getuid?.() !== 0) return false;
  const folder = mkdtempSync(join(tmpdir(), "holdfast-mount-"));
  const may = spawnSync("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", folder]).status === 0;
  if (may) spawnSync("umount", [folder]);
  rmdirSync(folder);
  return may;
}

test("a Holdfast whose every connection is gone when it is closed closes", async () => {
  const hf = await here.open({ database: here.proxy.url });
  await hf.run(newRunId(), () => once("wire", () => 1));
  here.proxy.sever();
  await hf.close({ graceSeconds: 0 });
  await expect(hf.run(newRunId(), () => 1)).rejects.toThrow("(DATABASE_UNAVAILABLE)");
});
