import { expect, test } from "vitest";
import { sleep, step } from "../src/index.ts";
import { outcomeOf, told } from "./agent.ts";
import { counter, useHoldfast } from "./opened.ts";
import { newId } from "./store.ts";

const { open, sql } = useHoldfast();

test("a run that sleeps parks, holds no lease, and goes on once its time has come", async () => {
  const holdfast = await open();
  const [id, { calls, does }] = [newId(), counter()];
  const work = async () => {
    await step("before", does("before"));
    await sleep("1h");
    return await step("after", does("after", "rested"));
  };
  await expect(holdfast.run(id, work)).rejects.toMatchObject({
    code: "RUN_WAITING",
    details: { waitingOn: "timer" },
  });
  expect(await holdfast.runs.get(id)).toMatchObject({ status: "waiting", waitingOn: "timer" });
  await expect(holdfast.run(id, work)).rejects.toMatchObject({ code: "RUN_WAITING" });

  await sql("update holdfast.runs set run_at = now() where run_id = $1", [id]);
  // The time is on record: whoever wakes too early waits for the rest of it.
  expect(await outcomeOf(holdfast.run(id, work))).toBe("RUN_WAITING");
  expect(calls).toEqual(["before"]);
  expect((await told(holdfast, id)).filter((entry) => entry.includes("sleep"))).toEqual([
    "observation sleep#0",
  ]);
});

test("a short sleep is waited out in the process, and a replay does not wait again", async () => {
  const holdfast = await open();
  const id = newId();
  const work = async () => {
    await sleep(20);
    return "rested";
  };
  expect(await holdfast.run(id, work)).toBe("rested");
  expect(await told(holdfast, id)).toEqual(["observation sleep#0", "outcome"]);
});

test("what is no duration is refused", async () => {
  const holdfast = await open();
  expect(await outcomeOf(holdfast.run(newId(), () => sleep("soon")))).toBe("INVALID_ARGUMENT");
  await expect(sleep(1)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
});
