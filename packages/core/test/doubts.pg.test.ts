import { expect, onTestFinished, test } from "vitest";
import { current, once, step } from "../src/index.ts";
import { openWireProxy } from "../src/testing/index.ts";
import { counter, forever, useHoldfast } from "./opened.ts";
import { eventually, newId } from "./store.ts";

const opened = useHoldfast();
const { open, leaveRun, sql } = opened;
const ana = { by: "ana" };

/** A run that died while its wire transfer was under way. */
const wiring = () =>
  leaveRun((underWay) =>
    once("wire", () => {
      underWay();
      return forever();
    }),
  );

test("a run whose effect may have happened parks, and does not repeat it", async () => {
  const id = await wiring();
  const holdfast = await open();
  const { calls, does } = counter();
  await expect(holdfast.run(id, () => once("wire", does("wire")))).rejects.toMatchObject({
    code: "RUN_WAITING",
    details: { runId: id, waitingOn: "doubt", doubts: ["wire#0"] },
  });
  expect(calls).toEqual([]);
  expect(await holdfast.runs.get(id)).toMatchObject({ status: "waiting", waitingOn: "doubt" });
  expect(await holdfast.doubts.list({ runId: id })).toMatchObject([
    { runId: id, step: "wire#0", name: "wire" },
  ]);
});

test("a run that waits for a decision does nothing until there is one", async () => {
  const id = await wiring();
  const holdfast = await open();
  const { calls, does } = counter();
  await holdfast.run(id, () => once("wire", does("wire"))).catch(() => {});
  await expect(holdfast.run(id, does("work"))).rejects.toMatchObject({
    code: "RUN_WAITING",
    details: { waitingOn: "doubt", doubts: ["wire#0"] },
  });
  expect(calls).toEqual([]);
});

test("an effect that is said to have happened returns what it is said to have returned", async () => {
  const id = await wiring();
  const holdfast = await open();
  const { calls, does } = counter();
  await holdfast.run(id, () => once("wire", does("wire"))).catch(() => {});
  await holdfast.doubts.resolve(id, "wire#0", { happened: { receipt: 7 } }, ana);
  expect(await holdfast.run(id, () => once("wire", does("wire")))).toEqual({ receipt: 7 });
  expect(calls).toEqual([]);
  expect(await holdfast.runs.get(id)).toMatchObject({ status: "succeeded" });
});

test("an effect that is said not to have happened goes out, once", async () => {
  const id = await wiring();
  const holdfast = await open();
  const { calls, does } = counter();
  await holdfast.run(id, () => once("wire", does("wire"))).catch(() => {});
  await holdfast.doubts.resolve(id, "wire#0", { didNotHappen: true }, ana);
  expect(await holdfast.run(id, () => once("wire", does("wire", "sent")))).toBe("sent");
  expect(await holdfast.run(id, () => once("wire", does("wire", "sent again")))).toBe("sent");
  expect(calls).toEqual(["wire"]);
});

test("a doubt is resolved before anybody has run into it, once its owner is known to be dead", async () => {
  const id = await wiring();
  const witness = await open({ leaseSeconds: 1 });
  await witness.run(newId(), () => 1);
  await eventually(async () => (await witness.runs.get(id)).status === "waiting");
  await witness.doubts.resolve(id, "wire#0", { happened: "sent" }, ana);
  expect(await witness.run(id, () => once("wire", () => "sent again"))).toBe("sent");
});

test("an effect that is under way in a live run is nobody's to decide", async () => {
  const [id, holdfast] = [newId(), await open()];
  const [underWay, done] = [Promise.withResolvers<void>(), Promise.withResolvers<string>()];
  const running = holdfast.run(id, () =>
    once("wire", () => {
      underWay.resolve();
      return done.promise;
    }),
  );
  await underWay.promise;
  await expect(holdfast.doubts.resolve(id, "wire#0", { didNotHappen: true }, ana)).rejects.toThrow(
    "(COMMAND_NOT_ALLOWED)",
  );
  done.resolve("sent");
  expect(await running).toBe("sent");
});

test("before a run parks, what is under way beside the doubt settles and is recorded", async () => {
  const id = await wiring();
  const holdfast = await open();
  const [underWay, done] = [Promise.withResolvers<void>(), Promise.withResolvers<string>()];
  const events: string[] = [];
  const running = holdfast
    .run(id, () =>
      Promise.all([
        once("wire", () => "never"),
        step("look", () => {
          underWay.resolve();
          return done.promise;
        }),
      ]),
    )
    .catch((error) => events.push(error.code));
  await underWay.promise;
  expect(await holdfast.runs.get(id)).toMatchObject({ status: "running" });
  events.push("looked");
  done.resolve("seen");
  await running;
  expect(events).toEqual(["looked", "RUN_WAITING"]);
  const entries = await holdfast.entries(id);
  expect(entries.find(({ kind }) => kind === "observation")).toMatchObject({
    step: "look#0",
    output: "seen",
  });
  expect(entries.at(-1)).toMatchObject({ kind: "note", note: "parked" });
});

test("a call that begins while the run parks is not made", async () => {
  const id = await wiring();
  const holdfast = await open();
  const [underWay, done] = [Promise.withResolvers<void>(), Promise.withResolvers<string>()];
  const { calls, does } = counter();
  const running = holdfast.run(id, () =>
    Promise.all([
      once("wire", does("wire")),
      step("look", () => {
        underWay.resolve();
        return done.promise;
      }).then(() => step("look further", does("look further"))),
    ]),
  );
  running.catch(() => {});
  await underWay.promise;
  await eventually(async () => (await holdfast.entries(id)).some(({ kind }) => kind === "doubt"));
  done.resolve("seen");
  await expect(running).rejects.toThrow("(RUN_WAITING)");
  expect(calls).toEqual([]);
});

test("a run whose doubt is resolved while it still settles goes on without having parked", async () => {
  const id = await wiring();
  const holdfast = await open();
  const [underWay, done] = [Promise.withResolvers<void>(), Promise.withResolvers<string>()];
  const running = holdfast.run(id, () =>
    Promise.all([
      once("wire", () => "never"),
      step("look", () => {
        underWay.resolve();
        return done.promise;
      }),
    ]),
  );
  await underWay.promise;
  await eventually(async () => (await holdfast.doubts.list({ runId: id })).length > 0);
  await holdfast.doubts.resolve(id, "wire#0", { happened: "sent" }, ana);
  done.resolve("seen");
  expect(await running).toEqual(["sent", "seen"]);
  const notes = (await holdfast.entries(id)).filter(({ kind }) => kind === "note");
  expect(notes).toEqual([]);
});

test("several effects that may have happened are all named, and each is decided by itself", async () => {
  let open2 = 0;
  const id = await leaveRun((underWay) => {
    const wire = (to: string) =>
      step(
        "wire",
        () => {
          if (++open2 === 2) underWay();
          return forever<string>();
        },
        { input: to },
      );
    return Promise.all([wire("ana"), wire("ben")]);
  });
  const holdfast = await open();
  const { calls, does } = counter();
  const work = () =>
    Promise.all(["ana", "ben"].map((to) => step("wire", does(to, `sent to ${to}`), { input: to })));
  await expect(holdfast.run(id, work)).rejects.toMatchObject({ details: { doubts: ["wire#0", "wire#1"] } });
  await holdfast.doubts.resolve(id, "wire#0", { happened: "sent before" }, ana);
  await expect(holdfast.run(id, work)).rejects.toMatchObject({ details: { doubts: ["wire#1"] } });
  await holdfast.doubts.resolve(id, "wire#1", { didNotHappen: true }, ana);
  expect(await holdfast.run(id, work)).toEqual(["sent before", "sent to ben"]);
  expect(calls).toEqual(["ben"]);
});

test("an effect that was aborted is in doubt at once, in the same epoch", async () => {
  const [id, holdfast] = [newId(), await open()];
  const { calls, does } = counter();
  const running = holdfast.run(id, async () => {
    const begun = await current()?.begin({ kind: "tool", name: "wire", input: 1, effect: "once" });
    if (begun?.at === "live") await begun.fail(new Error("aborted"), { aborted: true });
    await current()?.step({ kind: "tool", name: "wire", input: 1, effect: "once" }, does("wire"));
  });
  await expect(running).rejects.toMatchObject({ code: "RUN_WAITING", details: { doubts: ["wire#0"] } });
  expect(calls).toEqual([]);
});

test("a doubt is said once, though the answer of the database to it is lost", async () => {
  const id = await wiring();
  const proxy = await openWireProxy(opened.url);
  onTestFinished(() => proxy.close());
  const holdfast = await open({ database: proxy.url });
  const lost = proxy.loseAnswer((bytes) => bytes.includes("what came of it was not recorded"));
  await expect(holdfast.run(id, () => once("wire", () => "sent again"))).rejects.toThrow("(RUN_WAITING)");
  await lost;
  expect((await holdfast.entries(id)).filter(({ kind }) => kind === "doubt")).toHaveLength(1);
  await holdfast.doubts.resolve(id, "wire#0", { happened: "sent" }, ana);
  expect(await holdfast.run(id, () => once("wire", () => "sent again"))).toBe("sent");
});

test("doubts of other runs are listed beside a ledger that cannot be read", async () => {
  const [id, corrupt] = [await wiring(), await wiring()];
  const holdfast = await open();
  for (const run of [id, corrupt]) await holdfast.run(run, () => once("wire", () => "")).catch(() => {});
  await sql(
    `with head as (
       update holdfast.runs set seq = seq + 1 where run_id = $1 returning run, seq, epoch
     )
     insert into holdfast.entries (run, seq, epoch, at, kind, step, body)
     select run, seq, epoch, now(), 'doubt', 'wire#0', '{"why": "said twice"}'
       from head`,
    [corrupt],
  );
  const listed = (await holdfast.doubts.list()).map(({ runId }) => runId);
  expect(listed).toContain(id);
  expect(listed).not.toContain(corrupt);
  await expect(holdfast.doubts.list({ runId: corrupt })).rejects.toThrow("(LEDGER_CORRUPT)");
});
