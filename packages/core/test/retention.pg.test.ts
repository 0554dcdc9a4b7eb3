import { describe, expect, test } from "vitest";
import { type Holdfast, once, signal, step } from "../src/index.ts";
import { outcomeOf, port } from "./agent.ts";
import { forever, useHoldfast } from "./opened.ts";
import { newId } from "./store.ts";

const { open, leaveRun, sql } = useHoldfast();
const ana = { by: "ana" };

const isGone = async (holdfast: Holdfast, id: string) => (await holdfast.entries(id)).length === 0;
const prune = (holdfast: Holdfast) => holdfast.prune({ olderThan: 0 });

/** A run that was left in the middle of a wire transfer, and fails when it is gone on with. */
async function failing(): Promise<{ holdfast: Holdfast; id: string }> {
  const id = await leaveRun((underWay) =>
    once("wire", () => {
      underWay();
      return forever();
    }),
  );
  const holdfast = await open();
  expect(await outcomeOf(holdfast.run(id, () => Promise.reject(new Error("no"))))).toBe("no");
  return { holdfast, id };
}

/** A run that is cancelled in the middle of a wire transfer. */
async function cancelled(): Promise<{ holdfast: Holdfast; id: string }> {
  const [id, holdfast, underWay] = [newId(), await open(), Promise.withResolvers<void>()];
  const running = holdfast.run(id, () =>
    once("wire", () => {
      const aborted = signal();
      underWay.resolve();
      return new Promise((_, reject) => aborted.addEventListener("abort", () => reject(aborted.reason)));
    }),
  );
  await underWay.promise;
  await holdfast.cancel(id, ana);
  expect(await outcomeOf(running)).toBe("CANCELLED");
  return { holdfast, id };
}

describe("what is pruned", () => {
  test("is a run that ended, whatever became of it, and its id repeats no effect", async () => {
    const holdfast = await open();
    const [id, failed] = [newId(), newId()];
    await holdfast.run(id, () => once("wire", () => 1));
    await holdfast.run(failed, () => once("wire", () => Promise.reject(new Error("no")))).catch(() => {});
    expect(await prune(holdfast)).toBe(2);
    expect([await isGone(holdfast, id), await isGone(holdfast, failed)]).toEqual([true, true]);
    expect(await outcomeOf(holdfast.run(id, () => 1))).toBe("COMMAND_NOT_ALLOWED");
  });

  test("is a run with a name of a step that was cut inside an emoji, and those beside it", async () => {
    const holdfast = await open();
    const ids = [newId(), newId()];
    for (const id of ids) {
      const work = async () => {
        await once("to \ud83d", () => 1);
        throw new Error("no");
      };
      await outcomeOf(holdfast.run(id, work));
    }
    await sql("alter table holdfast.entries disable trigger user");
    await sql(
      `update holdfast.entries set body = replace(body, U&'\\FFFD', '\\ud83d')
        where run = (select run from holdfast.runs where run_id = $1)`,
      [ids[0]],
    );
    await sql("alter table holdfast.entries enable trigger user");
    await prune(holdfast);
    expect(await Promise.all(ids.map((id) => isGone(holdfast, id)))).toEqual([true, true]);
  });

  test.each([
    ["failed", failing],
    ["was cancelled", cancelled],
  ])(
    "is no run that %s while an effect of it may have happened, until somebody has said",
    async (_, make) => {
      const { holdfast, id } = await make();
      await prune(holdfast);
      expect(await holdfast.doubts.list({ runId: id })).toMatchObject([{ step: "wire#0" }]);
      expect((await holdfast.doubts.list()).map(({ runId }) => runId)).toContain(id);
      const before = await holdfast.runs.get(id);
      await holdfast.doubts.resolve(id, "wire#0", { happened: "sent" }, ana);
      expect(await holdfast.doubts.list({ runId: id })).toEqual([]);
      expect(await holdfast.runs.get(id)).toMatchObject({
        status: before.status,
        waitingOn: before.waitingOn,
      });
      await prune(holdfast);
      expect(await isGone(holdfast, id)).toBe(true);
    },
  );

  test("is no run whose end another one is yet to be told, also not by its id", async () => {
    const [id, holdfast] = [newId(), await open()];
    await holdfast.run(id, () => 7);
    const after = [{ run: { id }, name: "seven" }];
    const show = holdfast.agent("show", (_: unknown, { outputs }) => outputs);
    const next = await holdfast.start(show, undefined, { after });
    await prune(holdfast);
    expect(await outcomeOf(holdfast.runs.delete(id))).toBe("COMMAND_NOT_ALLOWED");
    expect(await isGone(holdfast, id)).toBe(false);
    await holdfast.worker().start();
    expect(await next.result()).toEqual({ seven: 7 });
    await holdfast.runs.delete(id);
    expect(await outcomeOf(holdfast.runs.get(id))).toBe("RUN_NOT_FOUND");
  });

  test("is a run with an open doubt only by its id", async () => {
    const { holdfast, id } = await failing();
    await holdfast.runs.delete(id);
    await expect(holdfast.runs.get(id)).rejects.toMatchObject({ code: "RUN_NOT_FOUND" });
  });

  test.each([
    ["failed", true],
    ["dead", true],
    ["cancelled", false],
  ])("where its question is open and it is %s, is kept if it may go on: %s", async (status, isKept) => {
    const [id, holdfast] = [newId(), await open({ policy: [{ tool: "pay", then: "ask" }] })];
    const pays = () => port().step({ kind: "tool", name: "pay", input: 1 }, () => "paid");
    expect(await outcomeOf(holdfast.run(id, pays))).toBe("RUN_WAITING");
    await sql(
      "update holdfast.runs set status = $2, waiting_on = null, finished_at = now() where run_id = $1",
      [id, status],
    );
    await prune(holdfast);
    expect(await isGone(holdfast, id)).toBe(!isKept);
  });
});

describe("a tail", () => {
  const tailOf = async (holdfast: Holdfast, id: string) => {
    const entries = [];
    for await (const entry of holdfast.tail(id)) entries.push(entry);
    return entries;
  };

  test("of a run that was pruned ends, with nothing", async () => {
    const [id, holdfast] = [newId(), await open()];
    await holdfast.run(id, () => 1);
    await prune(holdfast);
    expect(await tailOf(holdfast, id)).toEqual([]);
  });

  test("of an unfinished run that was read in ends with what was read in", async () => {
    const id = await leaveRun(async (underWay) => {
      await step("a", () => 1);
      underWay();
      await forever();
    });
    const holdfast = await open();
    const copy = await holdfast.importRun(await holdfast.exportRun(id), { id: newId() });
    expect(await tailOf(holdfast, copy)).toEqual(await holdfast.entries(copy));
  });
});
