import { expect, test } from "vitest";
import { current, once, step } from "../src/index.ts";
import { counter, forever, useHoldfast } from "./opened.ts";
import { newId } from "./store.ts";

const { open, interruptRun } = useHoldfast();

test("a stream's value is there at once, and done settles with the run", async () => {
  const [id, holdfast] = [newId(), await open()];
  const gate = Promise.withResolvers<string>();
  const { value, done } = holdfast.stream(id, () => {
    const text = step("speak", () => gate.promise);
    return { text };
  });
  const events: string[] = [];
  const finished = done.then(() => events.push("done"));
  expect(value.text).toBeInstanceOf(Promise);
  events.push("said");
  gate.resolve("hello");
  expect(await value.text).toBe("hello");
  await finished;
  expect(events).toEqual(["said", "done"]);
  expect(await holdfast.runs.get(id)).toMatchObject({ status: "succeeded" });
  expect((await holdfast.entries(id)).map(({ kind }) => kind)).toEqual([
    "start",
    "takeover",
    "intent",
    "observation",
    "outcome",
  ]);
});

test("a stream that has finished is spoken again from the record", async () => {
  const [id, holdfast] = [newId(), await open()];
  const { calls, does } = counter();
  const work = () => ({ text: step("speak", does("speak", "hello")) });
  await holdfast.stream(id, work).done;
  const { value, done } = (await open()).stream(id, work);
  expect(await value.text).toBe("hello");
  await done;
  expect(calls).toEqual(["speak"]);
});

test("a stream that was interrupted goes on from the record", async () => {
  const { calls, does } = counter();
  const id = await interruptRun(async (interrupt) => {
    await once("charge", does("charge", 1));
    await interrupt();
  });
  const { value, done } = (await open()).stream(id, () => once("charge", does("charge again")));
  expect(await value).toBe(1);
  await done;
  expect(calls).toEqual(["charge"]);
});

test("a stream that is refused rejects done, and calls nothing", async () => {
  const [id, holdfast] = [newId(), await open()];
  await holdfast.run(id, () => 1, { input: 1 });
  const { calls, does } = counter();
  const { done } = holdfast.stream(id, () => step("speak", does("speak")), { input: 2 });
  await expect(done).rejects.toThrow("(RUN_EXISTS_DIFFERENT)");
  expect(calls).toEqual([]);
});

test("a stream of a run that somebody else is at work on rejects done, and its signal is aborted", async () => {
  const [id, one, other] = [newId(), await open(), await open()];
  const underWay = Promise.withResolvers<void>();
  one
    .run(id, () => {
      underWay.resolve();
      return forever();
    })
    .catch(() => {});
  await underWay.promise;
  const { value: signal, done } = other.stream(id, () => current()?.signal);
  await expect(done).rejects.toThrow("(RUN_LEASED)");
  await new Promise((resolve) => (signal?.aborted ? resolve(0) : signal?.addEventListener("abort", resolve)));
});

test("a stream in a run that is under way in this process is refused at once", async () => {
  const [id, holdfast] = [newId(), await open()];
  const running = holdfast.run(id, () => forever());
  running.catch(() => {});
  expect(() => holdfast.stream(id, () => 1)).toThrow("(RUN_LEASED)");
});

test("work that throws at once throws to the caller, and leaves no run behind", async () => {
  const [id, holdfast] = [newId(), await open()];
  const throwing = () =>
    holdfast.stream(id, () => {
      throw new Error("no");
    });
  expect(throwing).toThrow("no");
  await expect(holdfast.runs.get(id)).rejects.toThrow("(RUN_NOT_FOUND)");
});

test("a run ends only when what it was asked to keep has settled", async () => {
  const [id, holdfast] = [newId(), await open()];
  const kept = Promise.withResolvers<void>();
  const events: string[] = [];
  const begun = Promise.withResolvers<void>();
  const running = holdfast
    .run(id, () => {
      current()?.keep(kept.promise);
      begun.resolve();
      return "value";
    })
    .then((value) => events.push(value));
  await begun.promise;
  expect(await holdfast.runs.get(id)).toMatchObject({ status: "running" });
  events.push("settles");
  kept.resolve();
  await running;
  expect(events).toEqual(["settles", "value"]);
});

test("a run whose kept work rejects has failed with that, whatever its function returned", async () => {
  const holdfast = await open();
  const id = newId();
  const running = holdfast.run(id, () => {
    const lost = Promise.reject(new Error("lost"));
    current()?.keep(lost);
    return "value";
  });
  await expect(running).rejects.toThrow("lost");
  expect(await holdfast.runs.get(id)).toMatchObject({ status: "failed" });
});
