import { expect, test } from "vitest";
import { once, signal, sleep, step } from "../../src/index.ts";
import type { Tap } from "../../src/testing/crash.ts";
import { outcomeOf, told, tool } from "../agent.ts";
import { counter, forever, useHoldfast } from "../opened.ts";
import { eventually, newId } from "../store.ts";

const { open, openTapped, leaveRun, sql } = useHoldfast();
const by = { by: "ana" };

/** Somebody cancels the run just before its next append. */
async function cancelsBeforeAppend(id: string) {
  const other = await open();
  let isArmed = false;
  const tap: Tap = async (text, send) => {
    if (isArmed && text.includes("with want")) {
      isArmed = false;
      await other.cancel(id, by);
    }
    return await send();
  };
  const arm = () => {
    isArmed = true;
  };
  return { tap, arm };
}

test("a queued run that is cancelled is never worked on", async () => {
  const holdfast = await open();
  const { calls, does } = counter();
  const run = await holdfast.start(holdfast.agent("late", does("work")), undefined);
  await run.cancel();
  await holdfast.worker().start();
  expect(await outcomeOf(run.result())).toBe("CANCELLED");
  expect(await run.status()).toBe("cancelled");
  expect(calls).toEqual([]);
  expect((await run.entries()).map(({ kind }) => kind)).toEqual(["start", "command", "outcome"]);
});

test("a cancel aborts the call under way through its signal, wherever it runs, and its effect is in doubt", async () => {
  const [holdfast, other] = [await open(), await open()];
  const underWay = Promise.withResolvers<void>();
  const agent = holdfast.agent("long", async () => {
    await once("wire", async () => {
      const aborted = signal();
      underWay.resolve();
      await new Promise((_, reject) => aborted.addEventListener("abort", () => reject(aborted.reason)));
    });
  });
  const run = await holdfast.start(agent, undefined);
  await holdfast.worker().start();
  await underWay.promise;
  await other.cancel(run.id, by);
  expect(await outcomeOf(run.result())).toBe("CANCELLED");
  expect(await told(holdfast, run.id)).toEqual(["intent wire#0", "command", "doubt wire#0", "outcome"]);
});

test("a call that returns although it is cancelled is on record", async () => {
  const holdfast = await open();
  const [underWay, freed] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const agent = holdfast.agent("long", async () => {
    await once("wire", async () => {
      underWay.resolve();
      signal().addEventListener("abort", () => freed.resolve());
      await freed.promise;
      return "wired";
    });
    await once("never", () => {});
  });
  const run = await holdfast.start(agent, undefined);
  await holdfast.worker().start();
  await underWay.promise;
  await run.cancel();
  expect(await outcomeOf(run.result())).toBe("CANCELLED");
  expect(await told(holdfast, run.id)).toEqual(["intent wire#0", "command", "observation wire#0", "outcome"]);
});

test("a call whose intent comes behind a cancel does not go out, and its ledger says so", async () => {
  const id = newId();
  const { tap, arm } = await cancelsBeforeAppend(id);
  const holdfast = await openTapped(tap);
  const { calls, does } = counter();
  const running = holdfast.run(id, async () => {
    await step("look", () => "seen");
    arm();
    return await tool("wire", {}, does("wire"));
  });
  expect(await outcomeOf(running)).toBe("CANCELLED");
  expect(calls).toEqual([]);
  expect((await told(holdfast, id)).slice(2)).toEqual([
    "command",
    "intent wire#0",
    "resolution wire#0",
    "outcome",
  ]);
});

test("a call that may have gone out before is not said not to have happened where it does not go out again", async () => {
  const refund = (work: () => unknown) => tool("refund", {}, work, { effect: "idempotent" });
  const id = await leaveRun((underWay) =>
    refund(() => {
      underWay();
      return forever();
    }),
  );
  const { tap, arm } = await cancelsBeforeAppend(id);
  const holdfast = await openTapped(tap);
  const { calls, does } = counter();
  const running = holdfast.run(id, async () => {
    arm();
    return await refund(does("refund"));
  });
  expect(await outcomeOf(running)).toBe("CANCELLED");
  expect(calls).toEqual([]);
  const lines = (await told(holdfast, id)).filter((line) => line.endsWith("refund#0"));
  expect(lines).toEqual(["intent refund#0", "intent refund#0"]);
});

test("an inline run is cancelled from outside as well", async () => {
  const [holdfast, other] = [await open(), await open()];
  const underWay = Promise.withResolvers<void>();
  const id = newId();
  const running = holdfast.run(id, () =>
    step(
      "look",
      () => {
        const aborted = signal();
        underWay.resolve();
        return new Promise<never>((_, reject) =>
          aborted.addEventListener("abort", () => reject(aborted.reason)),
        );
      },
      { effect: "read" },
    ),
  );
  await underWay.promise;
  await other.cancel(id, by);
  await expect(running).rejects.toMatchObject({ code: "CANCELLED", details: { by: "ana" } });
  expect(await outcomeOf(holdfast.run(id, () => "again"))).toBe("CANCELLED");
  await other.cancel(id, by);
});

test("a run that is paused parks when its call has settled, and goes on when it is resumed", async () => {
  const holdfast = await open();
  const { calls, does } = counter();
  const [underWay, freed] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const agent = holdfast.agent("long", async () => {
    await once("first", async () => {
      underWay.resolve();
      await freed.promise;
      does("first")();
    });
    return await once("second", does("second", "done"));
  });
  const run = await holdfast.start(agent, undefined);
  await holdfast.worker().start();
  await underWay.promise;
  await holdfast.pause(run.id, by);
  await eventually(async () => (await told(holdfast, run.id)).includes("command"));
  // The owner has heard of it: what it is at may end, and nothing else begins.
  await new Promise((resolve) => setTimeout(resolve, 300));
  freed.resolve();
  await eventually(async () => (await run.status()) === "waiting");
  expect(calls).toEqual(["first"]);
  expect(await holdfast.runs.get(run.id)).toMatchObject({ waitingOn: "caller" });
  await holdfast.resume(run.id, by);
  expect(await run.result()).toBe("done");
  expect(calls).toEqual(["first", "second"]);
});

test("a run that is paused while it waits is not woken by what it waits for, until it is resumed", async () => {
  const holdfast = await open();
  const { calls, does } = counter();
  const agent = holdfast.agent("sleepy", async () => {
    await sleep(1_200);
    does("awake")();
  });
  const run = await holdfast.start(agent, undefined);
  await holdfast.worker().start();
  await eventually(async () => (await run.status()) === "waiting");
  await holdfast.pause(run.id, by);
  await eventually(async () => (await run.status()) === "queued");
  expect(calls).toEqual([]);
  await holdfast.resume(run.id, by);
  await run.result();
  expect(calls).toEqual(["awake"]);
});

test("an inline run that is paused says so", async () => {
  const holdfast = await open();
  const id = newId();
  await outcomeOf(holdfast.run(id, () => sleep("1h")));
  await holdfast.pause(id, by);
  await expect(holdfast.run(id, () => sleep("1h"))).rejects.toThrow("is paused");
  await holdfast.resume(id, by);
  await expect(holdfast.run(id, () => sleep("1h"))).rejects.toThrow("waits for timer");
});

test.each(["cancel", "pause"] as const)(
  "an inline run that failed as it was told to %s may be tried again",
  async (command) => {
    const [holdfast, other, id] = [await open(), await open(), newId()];
    const fails = async () => {
      await other[command](id, by);
      throw new Error("no");
    };
    expect(await outcomeOf(holdfast.run(id, fails))).toBe("no");
    expect(await sql("select status, command from holdfast.runs where run_id = $1", [id])).toEqual([
      { status: "failed", command: null },
    ]);
    // As it was left before.
    await sql("update holdfast.runs set command = $2 where run_id = $1", [id, command]);
    expect(await holdfast.run(id, () => "fine now")).toBe("fine now");
  },
);

test("a command is refused where it means nothing", async () => {
  const holdfast = await open();
  const run = await holdfast.start(
    holdfast.agent("quick", () => {}),
    undefined,
  );
  expect(await outcomeOf(holdfast.resume(run.id, by))).toBe("COMMAND_NOT_ALLOWED");
  expect(await outcomeOf(holdfast.redrive(run.id))).toBe("COMMAND_NOT_ALLOWED");
  expect(await outcomeOf(holdfast.cancel(run.id, { by: "" }))).toBe("INVALID_ARGUMENT");
  expect(await outcomeOf(holdfast.cancel("no-such-run", by))).toBe("RUN_NOT_FOUND");
  await holdfast.worker().start();
  await run.result();
  for (const command of ["cancel", "pause", "resume"] as const) {
    expect(await outcomeOf(holdfast[command](run.id, by))).toBe("COMMAND_NOT_ALLOWED");
  }
});

test("a run that was cancelled, and that its worker gave back before it had done so, is cancelled by the next", async () => {
  const [one, other] = [await open(), await open()];
  const { calls, does } = counter();
  const underWay = Promise.withResolvers<void>();
  const agent = one.agent("left", async () => {
    underWay.resolve();
    await forever();
  });
  const run = await one.start(agent, undefined);
  const worker = one.worker();
  await worker.start();
  await underWay.promise;
  await sql(
    `with head as (update holdfast.runs set command = 'cancel', seq = seq + 1 where run_id = $1 returning run, seq, epoch)
     insert into holdfast.entries (run, seq, epoch, at, kind, body)
     select run, seq, epoch, now(), 'command', '{"command":"cancel","by":"ana"}' from head`,
    [run.id],
  );
  await worker.stop({ graceSeconds: 0 });
  other.agent("left", does("work"));
  await other.worker().start();
  expect(await outcomeOf(run.result())).toBe("CANCELLED");
  expect(calls).toEqual([]);
});

test("the run of an owner who died after it was cancelled is cancelled by whoever notices", async () => {
  const [holdfast, other] = [await open(), await open()];
  const underWay = Promise.withResolvers<void>();
  const id = newId();
  const running = holdfast.run(id, async () => {
    await once("wire", () => {});
    underWay.resolve();
    await forever();
  });
  running.catch(() => {});
  await underWay.promise;
  // As if it died in the moment in which it was told.
  await sql("update holdfast.runs set command = 'cancel' where run_id = $1", [id]);
  await sql(
    "update holdfast.workers set until = now() - interval '1 second' where worker = (select leased_by from holdfast.runs where run_id = $1)",
    [id],
  );
  other.agent("any", () => {});
  await other.worker().start();
  await eventually(async () => (await other.runs.get(id)).status !== "running");
  expect((await other.runs.get(id)).status).toBe("cancelled");
});
