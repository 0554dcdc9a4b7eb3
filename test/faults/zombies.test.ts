import { type Holdfast, type HoldfastOptions, once, signal, step } from "@holdfast/core";
import { openWireProxy, type Tap, tapped } from "@holdfast/core/testing";
import type pg from "pg";
import { afterEach, describe, expect, test } from "vitest";
import { Child } from "../process.ts";
import { bench, eventually, forever, newRunId, soundLedger } from "./bench.ts";

const here = bench();
const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  await Promise.all(closing.splice(0).map((close) => close()));
});

/** The worker that holds the run is dead by the database's clock. It does not know. */
async function stall(runId: string): Promise<void> {
  await here.sql(
    `update holdfast.workers set until = now() - interval '1 second'
      where worker = (select leased_by from holdfast.runs where run_id = $1)`,
    [runId],
  );
}

const leaseIsOver = (runId: string) =>
  eventually(async () => {
    const alive = await here.sql(
      `select from holdfast.runs r join holdfast.workers w on w.worker = r.leased_by
        where r.run_id = $1 and w.until > now()`,
      [runId],
    );
    return alive.length === 0;
  });

/** A Holdfast whose pool reaches the server one way, and whose heartbeat another. */
async function openApart(options: HoldfastOptions) {
  const [pools, heart] = [await openWireProxy(here.url), await openWireProxy(here.url)];
  const pool = new Proxy(here.pool(pools.url), {
    get(inner, property) {
      if (property === "options") return { ...inner.options, connectionString: heart.url };
      const value: unknown = Reflect.get(inner, property, inner);
      return typeof value === "function" ? value.bind(inner) : value;
    },
  });
  const hf = await here.open({ database: pool as pg.Pool, ...options });
  closing.push(async () => {
    for (const proxy of [pools, heart]) proxy.mend();
    await hf.close({ graceSeconds: 0 });
    await Promise.all([pools.close(), heart.close()]);
  });
  return { hf, pools, heart };
}

describe("an owner that was stopped inside a call that must not be repeated", () => {
  test("may end that call, but no more: the run is in doubt elsewhere, and what was decided there stands", async () => {
    const runId = newRunId();
    const zombie = new Child("faults/zombie.ts", [here.url, runId, "1"]);
    await zombie.says("called");
    await zombie.kill("SIGSTOP");
    await leaseIsOver(runId);

    const hf = await here.open();
    const calls: string[] = [];
    const work = async () => {
      const wired = await once("wire", () => calls.push("wire"));
      await step("tell", () => calls.push("tell"));
      return wired;
    };
    await expect(hf.run(runId, work)).rejects.toThrow("(RUN_WAITING)");
    await hf.doubts.resolve(runId, "wire#0", { happened: "wired, says the bank" }, { by: "operator" });
    expect(await hf.run(runId, work)).toBe("wired, says the bank");
    expect(calls).toEqual(["tell"]);
    const before = await hf.entries(runId);

    zombie.tell("go on");
    await zombie.kill("SIGCONT");
    const { code } = await zombie.says("refused");
    expect(["FENCED", "DATABASE_UNAVAILABLE"]).toContain(code);
    await zombie.exited();
    expect(zombie.lines.map(({ at }) => at)).not.toContain("told");
    expect(await hf.entries(runId)).toEqual(before);
    await soundLedger(hf, runId);
  });

  test("wakes to a run that is parked, and what it says then changes nothing that a person has decided", async () => {
    const runId = newRunId();
    const zombie = new Child("faults/zombie.ts", [here.url, runId, "1"]);
    await zombie.says("called");
    await zombie.kill("SIGSTOP");
    await leaseIsOver(runId);
    const hf = await here.open();
    await expect(hf.run(runId, () => once("wire", () => 1))).rejects.toThrow("(RUN_WAITING)");
    const parked = await hf.entries(runId);

    zombie.tell("go on");
    await zombie.kill("SIGCONT");
    await zombie.says("refused");
    await zombie.exited();
    expect(await hf.entries(runId)).toEqual(parked);
    await hf.doubts.resolve(runId, "wire#0", { didNotHappen: true }, { by: "operator" });
    expect(await hf.run(runId, () => once("wire", () => "wired again"))).toBe("wired again");
    await soundLedger(hf, runId);
  });
});

test("of two takeovers in a row the last one holds: both owners before it are fenced, though it is no further than they are", async () => {
  const runId = newRunId();
  const calls: string[] = [];
  const owners = await Promise.all(
    ["first", "second", "third"].map(async (name) => ({ name, hf: await here.open() })),
  );
  const begun: { goOn: () => void; ended: Promise<unknown> }[] = [];
  for (const { name, hf } of owners) {
    if (begun.length > 0) await stall(runId);
    const [underWay, goOn] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const ended = hf.run(runId, async () => {
      // Each has appended as often as the others when it goes on: their counts tell them not apart, their epochs do.
      await step(`look ${name}`, () => {}, { effect: "idempotent" });
      underWay.resolve();
      await goOn.promise;
      return await once("wire", () => {
        calls.push(name);
        return name;
      });
    });
    ended.catch(() => {});
    await underWay.promise;
    begun.push({ goOn: goOn.resolve, ended });
  }
  const [first, second, third] = begun;
  const { hf } = owners[2] as { hf: Holdfast };
  const isOnRecord = (step: string) => (entry: { readonly step?: string; readonly kind: string }) =>
    entry.kind === "observation" && entry.step === step;
  await eventually(async () => (await hf.entries(runId)).some(isOnRecord("look third#0")));
  const before = await hf.entries(runId);
  for (const zombie of [second, first]) {
    zombie?.goOn();
    await expect(zombie?.ended).rejects.toThrow("(FENCED)");
  }
  expect(calls).toEqual([]);
  expect(await hf.entries(runId)).toEqual(before);
  third?.goOn();
  expect(await third?.ended).toBe("third");
  expect(calls).toEqual(["third"]);
  // More than three where a heart has noticed a dead owner before the next one came.
  expect((await soundLedger(hf, runId)).epochs.at(-1)).toBeGreaterThanOrEqual(3);
});

test("an owner whose heartbeat alone is cut off stops before another begins, and calls nothing more", async () => {
  const { hf, heart } = await openApart({ leaseSeconds: 1 });
  const [runId, calls] = [newRunId(), [] as string[]];
  const [severed, aborted] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const left = hf.run(runId, async () => {
    await once("wire", () => calls.push("wire"));
    signal().addEventListener("abort", () => {
      calls.push("stopped");
      aborted.resolve();
    });
    heart.sever();
    severed.resolve();
    await aborted.promise;
    await once("wire more", () => calls.push("wire more, as a zombie"));
  });
  left.catch(() => {}); // it is asked for below

  await severed.promise;
  const other = await here.open({ graceSeconds: 60 });
  await other.run(
    runId,
    async () => {
      await once("wire", () => calls.push("wire again"));
      await once("wire more", () => calls.push("wire more"));
    },
    { onLeased: "wait" },
  );
  await expect(left).rejects.toThrow("(DATABASE_UNAVAILABLE)");
  expect(calls).toEqual(["wire", "stopped", "wire more"]);
  await soundLedger(other, runId);
});

test("an owner whose pool alone is cut off keeps its run, is not taken over, and goes on when it is back", async () => {
  const { hf, pools } = await openApart({ leaseSeconds: 1 });
  const [runId, calls] = [newRunId(), [] as string[]];
  const severed = Promise.withResolvers<void>();
  const running = hf.run(runId, async () => {
    await once("wire", () => {
      calls.push("wire");
      pools.sever();
      severed.resolve();
    });
    await once("wire more", () => calls.push("wire more"));
    return "both";
  });
  await severed.promise;
  // Its heart beats on: four beats are longer than the lease.
  const beats = async () =>
    Number(
      (
        await here.sql(
          "select beats from holdfast.workers where worker = (select leased_by from holdfast.runs where run_id = $1)",
          [runId],
        )
      )[0]?.beats,
    );
  const until = (await beats()) + 4;
  await eventually(async () => (await beats()) >= until);
  const other = await here.open({ graceSeconds: 0.1 });
  await expect(other.run(runId, forever)).rejects.toThrow("(RUN_LEASED)");

  pools.mend();
  expect(await running).toBe("both");
  expect(calls).toEqual(["wire", "wire more"]);
  expect((await soundLedger(other, runId)).epochs.at(-1)).toBe(1);
});

describe("a claim", () => {
  /** A Holdfast whose statements go through the tap. */
  const openTapped = (tap: Tap, options: HoldfastOptions = {}) =>
    here.open({ database: tapped(here.pool(), tap), leaseSeconds: 1, ...options });
  const isCreate = (text: string) => text.includes("insert into holdfast.runs");
  const isGiveBack = (text: string) => text.includes("leased_by = $1") && text.includes("any ($2");
  const beaten = async (hf: Holdfast, times: number) => {
    const own = async () => {
      const [row] = await here.sql(
        "select sum(beats)::int as beats from holdfast.workers where until > now()",
      );
      return Number(row?.beats);
    };
    const first = await own();
    await eventually(async () => (await own()) >= first + times);
    await hf.runs.list();
  };

  test("of which its claimer never heard is given back by its beats, and anybody goes on with the run", async () => {
    let losing = true;
    const hf = await openTapped(async (text, send) => {
      const answer = await send();
      if (!isCreate(text) || !losing) return answer;
      losing = false;
      throw new Error("the answer was lost, and nobody asks again");
    });
    const runId = newRunId();
    await expect(hf.run(runId, forever)).rejects.toThrow("nobody asks again");
    expect(await hf.runs.get(runId)).toMatchObject({ status: "running" });
    await eventually(async () => (await hf.runs.get(runId)).status === "waiting");
    const other = await here.open();
    expect(await other.run(runId, () => once("wire", () => "wired"))).toBe("wired");
    await soundLedger(other, runId);
  });

  test("whose answer comes late is not given back: the run is its claimer's, and nobody else's", async () => {
    const hf = await openTapped(async (text, send) => {
      const answer = await send();
      if (isCreate(text)) await beaten(hf, 4);
      return answer;
    });
    const [runId, goOn] = [newRunId(), Promise.withResolvers<void>()];
    const underWay = Promise.withResolvers<void>();
    const running = hf.run(runId, async () => {
      const wired = await once("wire", () => "wired");
      underWay.resolve();
      await goOn.promise;
      return wired;
    });
    running.catch(underWay.reject);
    await underWay.promise;
    const other = await here.open({ graceSeconds: 60 });
    const stolen = await other.run(runId, () => "stolen").catch((error) => error.code);
    goOn.resolve();
    expect(stolen).toBe("RUN_LEASED");
    expect(await running).toBe("wired");
  });

  test("that is given back late, its claimer having taken the run again meanwhile, stays the claimer's", async () => {
    const [late, taken] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    let losing = true;
    const hf = await openTapped(async (text, send) => {
      if (isGiveBack(text)) {
        late.resolve();
        await taken.promise;
      }
      const answer = await send();
      if (isCreate(text) && losing) {
        losing = false;
        throw new Error("the answer was lost");
      }
      return answer;
    });
    const [runId, goOn] = [newRunId(), Promise.withResolvers<void>()];
    await expect(hf.run(runId, forever)).rejects.toThrow("the answer was lost");
    await late.promise;
    const running = hf.run(runId, async () => {
      const wired = await once("wire", () => "wired");
      taken.resolve();
      await goOn.promise;
      return wired;
    });
    running.catch(() => {});
    await taken.promise;
    await beaten(hf, 3);
    const status = (await hf.runs.get(runId)).status;
    goOn.resolve();
    expect(status).toBe("running");
    expect(await running).toBe("wired");
  });
});
