import { describe, expect, test } from "vitest";
import { ask, type Hooks, type Log, once, step } from "../src/index.ts";
import { outcomeOf, port, tool } from "./agent.ts";
import { forever, useHoldfast } from "./opened.ts";
import { newId } from "./store.ts";

const { open, leaveRun, stall } = useHoldfast();

/** Hooks that write down what they are told, and a log that does the same. */
function listening() {
  const told: unknown[] = [];
  const logged: [string, object, string][] = [];
  const hooks: Hooks = {
    onRun: ({ at, after, status, waitingOn }) => told.push(["run", at, after ?? status ?? waitingOn]),
    onStep: ({ at, name, ok }) => told.push(["step", at, name, ok]),
    onQuestion: ({ asks, text }) => told.push(["question", asks, text]),
  };
  const log: Log = {
    debug: (fields, message) => logged.push(["debug", fields, message]),
    info: (fields, message) => logged.push(["info", fields, message]),
    error: (fields, message) => logged.push(["error", fields, message]),
  };
  return { told, logged, hooks, log };
}

const charge = () => step("charge", () => 1, { effect: "idempotent", input: { card: "4242" } });

describe("hooks are told, once it is durable,", () => {
  test("that a run begins, what came of its calls, and that it ends", async () => {
    const { told, hooks } = listening();
    const holdfast = await open({ hooks });
    const model = () =>
      port().step(
        { kind: "model", name: "acme/m", input: {}, usage: () => ({ inputTokens: 3, outputTokens: 2 }) },
        () => "ho",
      );
    await holdfast.run(newId(), async () => {
      await model();
      await charge();
      await step("fails", () => Promise.reject(new Error("no")), { effect: "read" }).catch(() => {});
    });
    expect(told).toEqual([
      ["run", "begins", "start"],
      ["step", "made", "acme/m", true],
      ["step", "made", "charge", true],
      ["step", "made", "fails", false],
      ["run", "ends", "succeeded"],
    ]);
  });

  test("what is replayed, which says nothing of tokens and cost, and what is made", async () => {
    const { told, hooks } = listening();
    const holdfast = await open({ hooks });
    const id = newId();
    let broken = true;
    const work = async () => {
      await charge();
      if (broken) throw new RangeError("no");
      return await step("thank", () => 2, { effect: "idempotent" });
    };
    await outcomeOf(holdfast.run(id, work));
    broken = false;
    await holdfast.run(id, work);
    expect(told).toEqual([
      ["run", "begins", "start"],
      ["step", "made", "charge", true],
      ["run", "ends", "failed"],
      ["run", "begins", "retry"],
      ["step", "replayed", "charge", true],
      ["step", "made", "thank", true],
      ["run", "ends", "succeeded"],
    ]);
  });

  test("that a run asks and parks, and that a call was refused", async () => {
    const { told, hooks } = listening();
    const holdfast = await open({ hooks, policy: [{ tool: "wipe", then: "deny", reason: "never" }] });
    await outcomeOf(
      holdfast.run(newId(), async () => {
        await tool("wipe", {}, () => 1).catch(() => {});
        return await ask({ question: "How many?" });
      }),
    );
    expect(told).toEqual([
      ["run", "begins", "start"],
      ["step", "refused", "wipe", false],
      ["question", "input", "How many?"],
      ["run", "parks", "input"],
    ]);
  });

  test("that a call is in doubt", async () => {
    const { told, hooks } = listening();
    const id = await leaveRun((underWay) =>
      once("wire", () => {
        underWay();
        return forever();
      }),
    );
    const holdfast = await open({ hooks });
    await outcomeOf(holdfast.run(id, () => once("wire", () => 1)));
    expect(told).toEqual([
      ["run", "begins", expect.any(String)], // somebody may have noticed before that its owner is dead
      ["step", "doubted", "wire", false],
      ["run", "parks", "doubt"],
    ]);
  });

  test("that a run was lost to somebody else", async () => {
    const { told, hooks } = listening();
    const holdfast = await open({ hooks });
    const id = newId();
    const [begun, taken] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const left = outcomeOf(
      holdfast.run(id, async () => {
        begun.resolve();
        await taken.promise;
        return await charge();
      }),
    );
    await begun.promise;
    await stall(id);
    await (await open()).run(id, charge);
    taken.resolve();
    expect(await left).toBe("FENCED");
    expect(told).toEqual([
      ["run", "begins", "start"],
      ["run", "lost", undefined],
    ]);
  });
});

test("a hook that throws, at once or later, harms no run, and the log says so", async () => {
  const { logged, log } = listening();
  const thrown = () => {
    throw new Error("the pager is down");
  };
  const holdfast = await open({ log, hooks: { onRun: thrown, onStep: async () => thrown() } });
  expect(await holdfast.run(newId(), charge)).toBe(1);
  const errors = logged.filter(([level]) => level === "error");
  expect(errors.map(([, fields]) => (fields as { hook: string }).hook).toSorted()).toEqual([
    "onRun",
    "onRun",
    "onStep",
  ]);
  for (const [, fields, message] of errors) {
    expect(message).toBe("a hook threw");
    expect(fields).toMatchObject({ err: { message: "the pager is down" } });
  }
});

test("a log that throws harms no run", async () => {
  const { told, hooks } = listening();
  const full = () => {
    throw new Error("disk full");
  };
  const holdfast = await open({ hooks, log: { debug: full, info: full, error: full } });
  expect(await holdfast.run(newId(), charge)).toBe(1);
  expect(told).toContainEqual(["step", "made", "charge", true]);
});

test("the log has runs as info and steps as debug, with run, step and epoch, and none of their values", async () => {
  const { logged, log } = listening();
  const holdfast = await open({ log });
  const id = newId();
  await holdfast.run(id, charge, { agent: "support", input: { card: "4242" } });
  expect(logged).toEqual([
    ["info", { run: id, agent: "support", epoch: 1, after: "start" }, "run begins"],
    [
      "debug",
      { run: id, epoch: 1, step: "charge#0", name: "charge", call: "step", ok: true, ms: expect.any(Number) },
      "step made",
    ],
    ["info", { run: id, agent: "support", epoch: 1, status: "succeeded" }, "run ends"],
  ]);
});

test("a hook that is none is refused", async () => {
  const hooks = { onWorry: () => {} } as Hooks;
  expect(await outcomeOf(open({ hooks }))).toBe("INVALID_ARGUMENT");
});
