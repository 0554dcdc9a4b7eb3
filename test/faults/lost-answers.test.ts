import { current, type Holdfast, HoldfastError, once, randomUUID, step, tx } from "@holdfast/core";
import { describe, expect, test } from "vitest";
import { bench, forever, newRunId, soundLedger } from "./bench.ts";

/*
 * The server does what it was asked, and the connection is cut before the answer comes through. Statements are told
 * apart by what they carry: values travel with their lengths before them, statements only once a connection.
 */
const NUL = "\0\0\0";
const asks: Readonly<Record<string, readonly string[]>> = {
  append: [`${NUL}\x06intent`, `${NUL}\x0bobservation`, `${NUL}\x07outcome`],
  create: ['"after":"start"'],
  takeover: ['"after":"wait"'], // not after a crash: that is also what a beat says of runs without an owner
  park: ['"note":"parked"'],
  outside: [`${NUL}\x0aresolution`],
  start: ['"inline":false'],
  fork: ['"note":"forked"'],
  answer: ['"says":"approved"'],
  commit: [`Q${NUL}\x0bcommit`],
};

const here = bench();
const { open, sql } = here;

/** Loses the answer to the nth statement of a kind from now on. Gives back whether that has happened. */
function lose(kind: string, nth = 1): () => boolean {
  let seen = 0;
  let lost = false;
  void here.proxy
    .loseAnswer((bytes) => asks[kind]?.some((part) => bytes.includes(part)) === true && ++seen === nth)
    .then(() => {
      lost = true;
    });
  return () => lost;
}

const value = { read: "read", wire: "wire", both: ["left", "right"] };

/** Work of all effects, each call noted. */
const work = (calls: string[]) => async () => {
  const does = (name: string) => () => {
    calls.push(name);
    return name;
  };
  randomUUID();
  const read = await step("read", does("read"), { effect: "read" });
  const wire = await once("wire", does("wire"));
  const sides = ["left", "right"].map((side) =>
    step("side", does(side), { effect: "idempotent", input: side }),
  );
  return { read, wire, both: await Promise.all(sides) };
};

/** A run that was given up in the middle of an effect that is not to be repeated. */
async function leaveInDoubt(runId: string): Promise<void> {
  const hf = await open();
  const underWay = Promise.withResolvers<void>();
  const left = hf.run(runId, () =>
    once("wire", () => {
      underWay.resolve();
      return forever();
    }),
  );
  left.catch(() => {});
  await underWay.promise;
  await hf.close({ graceSeconds: 0 });
}

const crashesOf = async (runId: string) =>
  (await sql("select crashes from holdfast.runs where run_id = $1", [runId]))[0];

test("whichever append's answer is lost, the run ends as if it had come: no call is repeated, no entry lost or doubled", async () => {
  const hf = await open({ database: here.proxy.url });
  const whole = newRunId();
  await hf.run(whole, work([]));
  const { kinds } = await soundLedger(hf, whole);

  let appends = 0;
  for (;;) {
    const [runId, calls] = [newRunId(), [] as string[]];
    const isLost = lose("append", appends + 1);
    expect(await hf.run(runId, work(calls))).toEqual(value);
    expect([...calls].sort()).toEqual(["left", "read", "right", "wire"]);
    expect([...(await soundLedger(hf, runId)).kinds].sort()).toEqual([...kinds].sort());
    expect(await hf.runs.get(runId)).toMatchObject({ epoch: 1, attempts: { crashes: 0 } });
    if (!isLost()) break;
    appends++;
  }
  expect(appends).toBeGreaterThan(3);
});

test("many runs whose appends travel together lose one answer together, and none of them an entry", async () => {
  const hf = await open({ database: here.proxy.url });
  let lost = 0;
  for (const nth of [1, 2, 3, 5, 8]) {
    const isLost = lose("append", nth);
    const runs = Array.from({ length: 20 }, () => ({ runId: newRunId(), calls: [] as string[] }));
    const values = await Promise.all(runs.map(({ runId, calls }) => hf.run(runId, work(calls))));
    if (isLost()) lost++;
    for (const [i, { runId, calls }] of runs.entries()) {
      expect(values[i]).toEqual(value);
      expect(calls).toHaveLength(4);
      await soundLedger(hf, runId);
    }
    if (!isLost()) break; // so many did not have to be sent
  }
  expect(lost).toBeGreaterThan(1);
});

test("a run whose creation's answer is lost is worked on by whoever created it, and no crash is counted", async () => {
  const hf = await open({ database: here.proxy.url });
  const [runId, calls] = [newRunId(), [] as string[]];
  const isLost = lose("create");
  expect(await hf.run(runId, work(calls))).toEqual(value);
  expect(isLost()).toBe(true);
  expect(calls).toHaveLength(4);
  const { kinds } = await soundLedger(hf, runId);
  expect(kinds.filter((kind) => kind === "start")).toHaveLength(1);
  expect((await hf.runs.get(runId)).attempts).toMatchObject({ crashes: 0 });
  expect(await crashesOf(runId)).toEqual({ crashes: 0 });
});

test("a run whose takeover's answer is lost is worked on by whoever took it, and no crash is counted", async () => {
  const runId = newRunId();
  const left = await open();
  const underWay = Promise.withResolvers<void>();
  const leaving = left.run(runId, async () => {
    await once("wire", () => "wire");
    underWay.resolve();
    await forever();
  });
  leaving.catch(() => {});
  await underWay.promise;
  await left.close();

  const hf = await open({ database: here.proxy.url });
  const isLost = lose("takeover");
  expect(await hf.run(runId, () => once("wire", () => "again"))).toBe("wire");
  expect(isLost()).toBe(true);
  await soundLedger(hf, runId);
  expect((await hf.runs.get(runId)).attempts).toMatchObject({ crashes: 0 });
  expect(await crashesOf(runId)).toEqual({ crashes: 0 });
});

test("a run of the fleet is queued once where the answer to that is lost, with a limit of the queue as without", async () => {
  for (const queueLimit of [undefined, 100]) {
    const hf = await open({ database: here.proxy.url, ...(queueLimit ? { queueLimit } : {}) });
    const name = newRunId();
    const isLost = lose("start");
    const run = await hf.start(
      hf.agent(name, () => "done"),
      "ana",
    );
    expect(isLost()).toBe(true);
    expect(await hf.runs.list({ agent: name })).toMatchObject([{ id: run.id, status: "queued" }]);
  }
});

test("a fork is made once where the answer to that is lost", async () => {
  const hf = await open({ database: here.proxy.url });
  const runId = newRunId();
  await hf.run(runId, work([]));
  const isLost = lose("fork");
  const fork = await hf.fork(runId, { at: 2 });
  expect(isLost()).toBe(true);
  expect(await sql("select run_id as id from holdfast.runs where run_id like $1", [`${runId}~%`])).toEqual([
    { id: fork.id },
  ]);
});

test("whoever answers a question, and never hears that it was taken, is not told that somebody else was quicker", async () => {
  const hf = await open({ database: here.proxy.url, policy: [{ tool: "pay", then: "ask" }] });
  const runId = newRunId();
  const pay = () => current()?.step({ kind: "tool", name: "pay", input: {} }, () => "paid");
  await expect(hf.run(runId, async () => await pay())).rejects.toThrow("(RUN_WAITING)");
  const [question] = await hf.questions.list({ runId });
  const isLost = lose("answer");
  await hf.questions.answer(question?.id ?? "", { approve: true, by: "ana" });
  expect(isLost()).toBe(true);
  expect(await hf.run(runId, async () => await pay())).toBe("paid");
  await expect(hf.questions.answer(question?.id ?? "", { approve: true, by: "ana" })).rejects.toThrow(
    "(QUESTION_ANSWERED)",
  );
});

test("a run whose parking's answer is lost is parked once", async () => {
  const runId = newRunId();
  await leaveInDoubt(runId);
  const hf = await open({ database: here.proxy.url });
  const before = (await hf.entries(runId)).length;
  const isLost = lose("park");
  await expect(hf.run(runId, () => once("wire", () => "again"))).rejects.toThrow("(RUN_WAITING)");
  expect(isLost()).toBe(true);
  const { kinds } = await soundLedger(hf, runId);
  expect(kinds.slice(before)).toEqual(["takeover", "doubt", "note"]);
  expect(await hf.runs.get(runId)).toMatchObject({ status: "waiting", waitingOn: "doubt" });
});

describe("a resolution whose answer is lost", () => {
  const resolveLosing = async (): Promise<{ hf: Holdfast; runId: string; resolving: Promise<void> }> => {
    const runId = newRunId();
    await leaveInDoubt(runId);
    const hf = await open({ database: here.proxy.url });
    const isLost = lose("outside");
    const resolving = hf.doubts.resolve(runId, "wire#0", { happened: "wired" }, { by: "operator" });
    await resolving.catch(() => {});
    expect(isLost()).toBe(true);
    return { hf, runId, resolving };
  };

  test("stands in the ledger once, and the run goes on with it", async () => {
    const { hf, runId } = await resolveLosing();
    expect(await hf.run(runId, () => once("wire", () => "again"))).toBe("wired");
    const { kinds } = await soundLedger(hf, runId);
    expect(kinds.filter((kind) => kind === "resolution")).toHaveLength(1);
  });

  test("is not reported as refused", async () => {
    const { resolving } = await resolveLosing();
    await expect(resolving).resolves.toBeUndefined();
  });
});

describe("a transaction", () => {
  const inTransaction = () =>
    step(
      "book",
      async () => {
        await tx().query("insert into bookings default values");
        return "booked";
      },
      { effect: "transaction" },
    );
  const table = async () => {
    await sql("create table if not exists bookings (id int generated always as identity)");
    await sql("delete from bookings");
  };
  const booked = async () => (await sql("select from bookings")).length;

  test("whose commit's answer is lost has happened, once, and the run goes on", async () => {
    await table();
    const hf = await open({ database: here.proxy.url });
    const runId = newRunId();
    const isLost = lose("commit");
    expect(await hf.run(runId, inTransaction)).toBe("booked");
    expect(isLost()).toBe(true);
    expect(await booked()).toBe(1);
    await soundLedger(hf, runId);
  });

  /** Its intent is the first append, its outcome the second. */
  const cutOff = async () => {
    await table();
    const hf = await open({ database: here.proxy.url });
    const runId = newRunId();
    const isLost = lose("append", 2);
    const error = await hf.run(runId, inTransaction).catch((error: unknown) => error);
    expect(isLost()).toBe(true);
    return { hf, runId, error };
  };

  test("that is cut off before its commit has not happened, and happens when its run is run again", async () => {
    const { hf, runId } = await cutOff();
    expect(await booked()).toBe(0);
    expect(await hf.run(runId, inTransaction)).toBe("booked");
    expect(await booked()).toBe(1);
    await soundLedger(hf, runId);
  });

  test("that is cut off before its commit stops its run with an error of ours, which says that the database went away", async () => {
    const { error } = await cutOff();
    expect(HoldfastError.is(error, "DATABASE_UNAVAILABLE") || error).toBe(true);
  });
});
