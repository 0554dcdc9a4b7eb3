import { once as event } from "node:events";
import pg from "pg";
import { describe, expect, inject, onTestFinished, test } from "vitest";
import { once, step } from "../src/index.ts";
import { child, ended, said } from "./child.ts";
import { counter, useHoldfast } from "./opened.ts";
import { eventually, newId } from "./store.ts";

const opened = useHoldfast();
const { open, sql, stall } = opened;

/** A run that this process works on until it is told what to return. */
async function working(holdfast: Awaited<ReturnType<typeof open>>, id = newId()) {
  const [underWay, answer] = [Promise.withResolvers<void>(), Promise.withResolvers<unknown>()];
  const running = holdfast.run(id, () => {
    underWay.resolve();
    return answer.promise;
  });
  running.catch(() => {});
  await underWay.promise;
  return { id, running, finish: answer.resolve };
}

describe("a main loop that does not turn", () => {
  test("keeps its lease while it computes for longer than the lease", async () => {
    const holdfast = await open({ leaseSeconds: 1 });
    const id = newId();
    const value = await holdfast.run(id, async () => {
      await once("first", () => 1);
      compute(2.5);
      return await once("second", () => 2);
    });
    expect(value).toBe(2);
    expect(await holdfast.runs.get(id)).toMatchObject({ epoch: 1, attempts: { crashes: 0 } });
  }, 15_000);

  test("loses its lease once it is wedged: nothing goes out any more, and another goes on", async () => {
    const id = newId();
    const { calls, does } = counter();
    const wedged = (await open({ leaseSeconds: 1 })).run(id, async () => {
      await once("first", does("first", 1));
      compute(7);
      return await once("second", does("second, late"));
    });
    await expect(wedged).rejects.toThrow(/\((DATABASE_UNAVAILABLE|FENCED)\)/);
    const work = async () => [await once("first", does("again")), await once("second", does("second", 2))];
    expect(await (await open()).run(id, work)).toEqual([1, 2]);
    expect(calls).toEqual(["first", "second"]);
  }, 20_000);
});

describe("a heartbeat's connection that is cut", () => {
  test("is made anew, and its lock is taken again", async () => {
    const holdfast = await open();
    const { id, running, finish } = await working(holdfast);
    const before = await heartbeatOf(id);
    await sql("select pg_terminate_backend($1)", [before?.pid]);
    await eventually(async () => {
      const now = await heartbeatOf(id);
      return now && now.pid !== before?.pid && now.beats > (before?.beats ?? 0);
    });
    finish("done");
    expect(await running).toBe("done");
    expect(await holdfast.runs.get(id)).toMatchObject({ epoch: 1 });
  });

  test("stops calls from going out until it has its lock again", async () => {
    const holdfast = await open();
    const { calls, does } = counter();
    const [underWay, goOn] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const id = newId();
    const running = holdfast.run(id, async () => {
      underWay.resolve();
      await goOn.promise;
      return await once("charge", does("charge", "charged"));
    });
    await underWay.promise;
    const door = await theDoor();
    await door.shut();
    const before = await heartbeatOf(id);
    await sql("select pg_terminate_backend($1)", [before?.pid]);
    await eventually(async () => (await heartbeatOf(id)) === undefined);

    goOn.resolve();
    // Many times as long as an intent and its call would take.
    for (let i = 0; i < 50; i++) await holdfast.entries(id);
    expect(calls).toEqual([]);
    await door.open();
    expect(await running).toBe("charged");
    expect(calls).toEqual(["charge"]);
  });

  test("lets no call go out into a run that was taken meanwhile, though its lock is its own again", async () => {
    const [holdfast, other] = [await open(), await open({ graceSeconds: 0.2 })];
    const { calls, does } = counter();
    const [underWay, goOn] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const id = newId();
    await other.run(newId(), () => 1);
    const running = holdfast.run(id, async () => {
      underWay.resolve();
      await goOn.promise;
      return await once("wire", does("wired by the first"));
    });
    running.catch(() => {});
    await underWay.promise;
    const door = await theDoor();
    await door.shut();
    const before = await heartbeatOf(id);
    await sql("select pg_terminate_backend($1)", [before?.pid]);
    await eventually(async () => (await heartbeatOf(id)) === undefined);
    for (let i = 0; i < 20; i++) await holdfast.entries(id); // the process has heard of it
    goOn.resolve();
    await eventually(async () => (await holdfast.entries(id)).some(({ kind }) => kind === "intent"));

    const work = () => once("wire", does("wired by the second", "wired"));
    await expect(other.run(id, work, { onLeased: "wait" })).rejects.toThrow("(RUN_WAITING)");
    await other.doubts.resolve(id, "wire#0", { didNotHappen: true }, { by: "ana" });
    expect(await other.run(id, work)).toBe("wired");
    await door.open();
    await expect(running).rejects.toThrow("(FENCED)");
    expect(calls).toEqual(["wired by the second"]);
  }, 20_000);

  test("does not let a run be taken, if only it is back within the grace", async () => {
    const [one, other] = [await open(), await open({ graceSeconds: 3600 })];
    const { id, running, finish } = await working(one);
    const before = await heartbeatOf(id);
    await sql("select pg_terminate_backend($1)", [before?.pid]);
    const waiting = other.run(id, () => "taken", { onLeased: "wait" });
    await eventually(async () => ((await heartbeatOf(id))?.beats ?? 0) > (before?.beats ?? 0));
    finish("done");
    expect(await running).toBe("done");
    expect(await waiting).toBe("done");
  });
});

describe("a process that was killed", () => {
  test("loses its run to the next caller long before its lease is over", async () => {
    const id = newId();
    const killed = child("hold-run.ts", opened.url, id, "600");
    expect(await said(killed)).toBe("under way");
    killed.kill("SIGKILL");
    await event(killed, "close");

    const { calls, does } = counter();
    const holdfast = await open({ graceSeconds: 0.2 });
    const work = async () => [
      await once("charge", does("charge again")),
      await step("look", does("look", "seen"), { effect: "read" }),
    ];
    expect(await holdfast.run(id, work, { onLeased: "wait" })).toEqual(["charged", "seen"]);
    expect(calls).toEqual(["look"]);
    expect(await holdfast.runs.get(id)).toMatchObject({ epoch: 2, attempts: { crashes: 1 } });
  }, 20_000);

  test("keeps its run for as long as it was only stopped, and its session lives", async () => {
    const id = newId();
    const stopped = child("hold-run.ts", opened.url, id, "600");
    onTestFinished(() => void stopped.kill("SIGKILL"));
    expect(await said(stopped)).toBe("under way");
    stopped.kill("SIGSTOP");
    await expect((await open()).run(id, () => 1)).rejects.toThrow("(RUN_LEASED)");
  }, 20_000);
});

describe("a run that somebody alive works on", () => {
  test("is refused to others, who are told by whom", async () => {
    const { id, running, finish } = await working(await open());
    await expect((await open()).run(id, () => 1)).rejects.toMatchObject({
      code: "RUN_LEASED",
      details: { runId: id, worker: expect.stringMatching(/:\d+$/) },
    });
    finish("done");
    expect(await running).toBe("done");
  });

  test("is waited for where that was asked for", async () => {
    const { id, running, finish } = await working(await open());
    const { calls, does } = counter();
    const { waiting } = await waitingFor(id, does("other"));
    finish("done");
    expect(await waiting).toBe("done");
    expect(await running).toBe("done");
    expect(calls).toEqual([]);
  });

  test("is taken by who waits for it, once its owner is dead", async () => {
    const { id } = await working(await open());
    const { waiting } = await waitingFor(id, () => "other");
    await stall(id);
    expect(await waiting).toBe("other");
  });

  test("is not waited for by a Holdfast that is closed", async () => {
    const { id } = await working(await open());
    const { other, waiting } = await waitingFor(id, () => 1);
    await other.close();
    await expect(waiting).rejects.toThrow("(DATABASE_UNAVAILABLE)");
  });
});

test("a lease that a worker holds in the database but not in memory is given back by its beats", async () => {
  const holdfast = await open({ leaseSeconds: 1 });
  const { id, finish } = await working(holdfast);
  const stray = newId();
  // As if the answer of a take had been lost: the row says that it is leased, and nobody knows.
  await sql(
    `insert into holdfast.runs (run_id, inline, status, seq, epoch, leased_by)
     select $1, true, 'running', 0, 1, leased_by from holdfast.runs where run_id = $2`,
    [stray, id],
  );
  await eventually(async () => {
    const [row] = await sql("select status, waiting_on, leased_by from holdfast.runs where run_id = $1", [
      stray,
    ]);
    return row?.status === "waiting" && row.waiting_on === "caller" && row.leased_by === null;
  });
  expect(await holdfast.runs.get(id)).toMatchObject({ status: "running", epoch: 1 });
  finish("done");
});

test("it is given back as well while the worker waits for another run", async () => {
  const [holdfast, other] = [await open({ leaseSeconds: 1 }), await open()];
  const [waitedFor, stray] = [await working(other), newId()];
  const own = await working(holdfast);
  const waiting = holdfast.run(waitedFor.id, () => 1, { onLeased: "wait" });
  await sql(
    `insert into holdfast.runs (run_id, inline, status, seq, epoch, leased_by)
     select $1, true, 'running', 0, 1, leased_by from holdfast.runs where run_id = $2`,
    [stray, own.id],
  );
  await eventually(async () => (await leaseOf(stray)).status === "waiting");
  own.finish("done");
  waitedFor.finish("waited for");
  expect(await waiting).toBe("waited for");
}, 15_000);

test("a run that is being taken is not given back, however long its ledger takes to read", async () => {
  const id = newId();
  const holdfast = await open({ leaseSeconds: 1 });
  await holdfast.run(id, () => Promise.reject(new Error("no"))).catch(() => {});
  const before = await aLock();
  await before.lock();
  const running = holdfast.run(id, () => "value");
  running.catch(() => {});
  const [beforeTake, beforeReading] = [await aLock(), await aLock()];
  await eventually(() => isWaiting("%insert into holdfast.runs%"));
  await before.handOver(beforeTake);
  await eventually(() => isWaiting("%retries     = r.retries%"));
  await beforeTake.handOver(beforeReading);

  const beats = (await leaseOf(id)).beats;
  await eventually(async () => (await leaseOf(id)).beats > beats + 3);
  const { status } = await leaseOf(id);
  await beforeReading.release();
  expect(status).toBe("running");
  expect(await running).toBe("value");
}, 15_000);

/** The ledger's table, closed to all others: who wants it next waits in line. */
async function aLock() {
  const session = await opened.session();
  const lock = () => session.query("begin; lock table holdfast.entries in access exclusive mode");
  const release = () => session.query("rollback");
  return {
    lock,
    release,
    /** Whoever waits in front of the next gets its turn in between. */
    handOver: async (next: { lock: () => Promise<unknown>; isWaiting: () => Promise<boolean> }) => {
      const locked = next.lock();
      await eventually(next.isWaiting);
      await release();
      await locked;
    },
    isWaiting: async () => {
      const pid = (session as unknown as { processID: number }).processID;
      return (await sql("select from pg_locks where pid = $1 and not granted", [pid])).length > 0;
    },
  };
}

async function isWaiting(like: string): Promise<boolean> {
  const waiting =
    "select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
  return (await sql(`${waiting} and query like $1`, [like])).length > 0;
}

/** Where the run is, and how often the worker that was last registered has beaten. */
async function leaseOf(id: string): Promise<{ status: string; beats: number }> {
  const [row] = await sql<{ status: string; beats: number }>(
    `select status, (select beats::int from holdfast.workers order by worker desc limit 1) as beats
       from holdfast.runs
      where run_id = $1`,
    [id],
  );
  return row ?? { status: "none", beats: 0 };
}

/** Another Holdfast that has its worker, and waits for the run. */
async function waitingFor(id: string, work: () => unknown) {
  const other = await open();
  const before = await liveWorkers();
  const waiting = other.run(id, work, { onLeased: "wait" });
  waiting.catch(() => {});
  await eventually(async () => (await liveWorkers()) > before);
  return { other, waiting };
}

/** Computes for so many seconds: nothing else of this process gets a turn. */
function compute(seconds: number): void {
  const until = performance.now() + seconds * 1000;
  while (performance.now() < until);
}

/** The session that holds the lock of the run's owner, and how often the owner has beaten. */
async function heartbeatOf(id: string): Promise<{ pid: number; beats: number } | undefined> {
  const [row] = await sql<{ pid: number; beats: number }>(
    `select a.pid, w.beats::int as beats
       from holdfast.runs r
       join holdfast.workers w on w.worker = r.leased_by
       join pg_locks l on l.locktype = 'advisory' and l.objid = w.worker and l.granted
       join pg_stat_activity a on a.pid = l.pid and a.application_name = 'holdfast heartbeat'
      where r.run_id = $1 and a.datname = current_database()`,
    [id],
  );
  return row;
}

async function liveWorkers(): Promise<number> {
  const [row] = await sql<{ n: number }>(
    "select count(*)::int as n from holdfast.workers where until > now()",
  );
  return row?.n ?? 0;
}

/** New connections to the database are let in, or are not. Those that are there stay. */
async function theDoor() {
  const outside = new pg.Client({ connectionString: inject("databaseUrl") });
  await outside.connect();
  const name = new URL(opened.url).pathname.slice(1);
  const allow = (allowed: boolean) => outside.query(`alter database ${name} allow_connections ${allowed}`);
  onTestFinished(async () => {
    await allow(true);
    await outside.end();
  });
  return { shut: () => allow(false), open: () => allow(true) };
}

test("a process that has nothing more to do ends by itself, though its Holdfast was never closed", async () => {
  const left = child("leave-open.ts", opened.url);
  const ending = ended(left);
  expect(await said(left)).toBe("value");
  expect(await ending).toMatchObject({ code: 0 });
}, 20_000);
