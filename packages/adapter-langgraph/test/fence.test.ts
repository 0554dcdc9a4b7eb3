import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { current, signal } from "@holdfast/core";
import { Annotation, START, StateGraph } from "@langchain/langgraph";
import { emptyCheckpoint, uuid6 } from "@langchain/langgraph-checkpoint";
import { expect, onTestFinished, test } from "vitest";
import { Child } from "../../../test/process.ts";
import { HoldfastSaver, withDurability } from "../src/index.ts";
import { useSaver } from "./given-saver.ts";

const given = useSaver();
const { saver, open, sql, newThread } = given;

const metadata = { source: "input", step: -1, parents: {} } as const;
const checkpoint = () => ({ ...emptyCheckpoint(), id: uuid6(1) });

/** The lease is over by the database's clock, and the next one who asks gets it. */
const expire = (runId: string) =>
  sql(
    `update holdfast.workers set until = now() - interval '1 second'
      where worker = (select leased_by from holdfast.runs where run_id = $1)`,
    [runId],
  );

function graphInRun(id: string): Child {
  const child = new Child("../packages/adapter-langgraph/test/graph-in-run.ts", [given.url, id]);
  onTestFinished(() => child.kill());
  return child;
}

test("a process that was taken over while it was stopped writes no checkpoint", async () => {
  const id = randomUUID();
  const config = { configurable: { thread_id: id } };
  const zombie = graphInRun(id);
  await zombie.says("second");
  await zombie.kill("SIGSTOP");
  await expire(id);

  const heir = graphInRun(id);
  await heir.says("second");
  heir.tell("go on");
  const { log } = await heir.says("end");
  expect(log).toHaveLength(3);
  const before = await saver().getTuple(config);

  await zombie.kill("SIGCONT");
  zombie.tell("go on");
  expect(await zombie.says("end")).toMatchObject({ error: "FENCED" });
  expect(await saver().getTuple(config)).toEqual(before);
  expect(before?.checkpoint.channel_values.log).toEqual(log);
}, 60_000);

test("a process that was taken over poisons no task of its heir", async () => {
  const id = randomUUID();
  const zombie = graphInRun(id);
  await zombie.says("second");
  await zombie.kill("SIGSTOP");
  await expire(id);
  const heir = graphInRun(id);
  await heir.says("second");

  // The zombie's write would be the first of this task: without the fence it would count, and not the heir's.
  await zombie.kill("SIGCONT");
  zombie.tell("go on");
  expect(await zombie.says("end")).toMatchObject({ error: "FENCED" });
  heir.tell("go on");
  const { log } = await heir.says("end");
  expect((log as string[])[1]).not.toBe((log as string[])[2]?.replace("second", "first"));
}, 60_000);

type Act = (on: HoldfastSaver, at: { configurable: { thread_id: string } }) => Promise<unknown>;
const acts: Record<string, Act> = {
  put: (on, at) => on.put(at, checkpoint(), metadata, {}),
  putWrites: (on, { configurable }) =>
    on.putWrites(
      { configurable: { ...configurable, checkpoint_ns: "", checkpoint_id: "1" } },
      [["a", 1]],
      "task",
    ),
  deleteThread: (on, { configurable }) => on.deleteThread(configurable.thread_id),
  prune: (on, { configurable }) => on.prune([configurable.thread_id]),
};
const all = async () => [
  await sql("select ns, id, body from holdfast.checkpoints order by thread, ns, id"),
  await sql("select id, task, value from holdfast.checkpoint_writes order by thread, ns, id, task, idx"),
  await sql("select thread_id, sweeps from holdfast.threads where sweeps > 0"),
];

test.each(Object.keys(acts))(
  "%s of a run that was taken over changes nothing and never settles",
  async (name) => {
    const config = newThread();
    const first = await saver().put(config, checkpoint(), metadata, {});
    await saver().put(first, { ...checkpoint(), id: uuid6(2) }, metadata, {});
    const [zombie, heir] = [await open(), await open()];
    const id = randomUUID();
    const left = Promise.withResolvers<void>();
    const taken = Promise.withResolvers<void>();
    let settled = false;
    const stopped = zombie.run(id, async () => {
      left.resolve();
      await taken.promise;
      await acts[name]?.(new HoldfastSaver(zombie), config);
      settled = true;
    });
    stopped.catch(() => {});
    await left.promise;
    await expire(id);
    await heir.run(id, () => "done");

    const before = await all();
    taken.resolve();
    await expect(stopped).rejects.toMatchObject({ code: "FENCED" });
    expect(settled).toBe(false);
    expect(await all()).toEqual(before);
  },
);

test("a takeover waits for a checkpoint that is being written, or the checkpoint for the takeover", async () => {
  const holdfast = await open();
  const on = new HoldfastSaver(holdfast);
  await on.setup();
  const id = randomUUID();
  const config = newThread();
  const client = await given.session();
  await client.query("begin");
  const stopped = holdfast.run(id, async () => {
    // Somebody raises the epoch, and has not committed yet.
    await client.query("update holdfast.runs set epoch = epoch + 1 where run_id = $1", [id]);
    const writing = on.put(config, checkpoint(), metadata, {});
    await given.eventually(async () => {
      const waiting = await sql(
        "select from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()",
      );
      return waiting.length > 0;
    });
    await client.query("commit");
    await writing;
  });
  await expect(stopped).rejects.toMatchObject({ code: "FENCED" });
  expect(await saver().getTuple(config)).toBeUndefined();
});

test("a run that has ended writes no checkpoint any more", async () => {
  const holdfast = await open();
  const on = new HoldfastSaver(holdfast);
  await on.setup();
  const config = newThread();
  const ended = Promise.withResolvers<void>();
  const late: Promise<string>[] = [];
  await holdfast.run(randomUUID(), () => {
    const stopped = once(signal(), "abort").then(() => "stopped");
    const written = ended.promise
      .then(() => on.put(config, checkpoint(), metadata, {}))
      .then(() => "written");
    late.push(Promise.race([stopped, written]));
  });
  ended.resolve();
  expect(await Promise.all(late)).toEqual(["stopped"]);
  expect(await saver().getTuple(config)).toBeUndefined();
});

test("what is written of a run that has just parked is let in, until somebody goes on with it", async () => {
  const holdfast = await open();
  const on = new HoldfastSaver(holdfast);
  const id = randomUUID();
  const [early, late] = [newThread(), newThread()];
  const taken = Promise.withResolvers<void>();
  const wrote = Promise.withResolvers<void>();
  const run = holdfast.run(id, async () => {
    await sql(
      "update holdfast.runs set status = 'waiting', waiting_on = 'input', leased_by = null where run_id = $1",
      [id],
    );
    await on.put(early, checkpoint(), metadata, {});
    wrote.resolve();
    await taken.promise;
    await on.put(late, checkpoint(), metadata, {});
  });
  run.catch(() => {});
  await wrote.promise;
  await sql("update holdfast.runs set waiting_on = 'caller' where run_id = $1", [id]);
  await (await open()).run(id, () => "done");
  taken.resolve();
  await expect(run).rejects.toMatchObject({ code: "FENCED" });
  expect(await saver().getTuple(early)).toBeDefined();
  expect(await saver().getTuple(late)).toBeUndefined();
});

test("a saver on another database than the run it is used in is refused", async () => {
  const holdfast = await open();
  const elsewhere = new HoldfastSaver(await given.anotherDatabase());
  onTestFinished(() => elsewhere.end());
  const config = newThread();
  await expect(
    holdfast.run(randomUUID(), () => elsewhere.put(config, checkpoint(), metadata, {})),
  ).rejects.toThrow(/another database/);
  expect(await elsewhere.getTuple(config)).toBeUndefined();
});

test("a finished run that is re-run over its ledger leaves its thread as it is", async () => {
  const config = newThread();
  const id = randomUUID();
  const work = async () => {
    expect(current()).toBeDefined();
    await saver().put(config, checkpoint(), metadata, {});
    return () => "a value that the ledger cannot keep";
  };
  await (await open()).run(id, work);
  const before = await saver().getTuple(config);
  await (await open()).run(id, work);
  expect(await saver().getTuple(config)).toEqual(before);
});

test("a graph of withDurability that was taken over leaves its thread to its heir", async () => {
  const log = Annotation<string[]>({ reducer: (a, b) => a.concat(b), default: () => [] });
  const arrived = Promise.withResolvers<void>();
  const taken = Promise.withResolvers<void>();
  const durable = async (who: string, wait?: () => Promise<void>) =>
    withDurability(
      new StateGraph(Annotation.Root({ log }))
        .addNode("first", () => ({ log: [`first of ${who}`] }))
        .addNode("second", async () => {
          await wait?.();
          return { log: [`second of ${who}`] };
        })
        .addEdge(START, "first")
        .addEdge("first", "second")
        .compile(),
      { holdfast: await open() },
    );
  const config = newThread();
  const zombie = await durable("zombie", () => {
    arrived.resolve();
    return taken.promise;
  });
  const stopped = zombie.invoke({ log: ["in"] }, config);
  stopped.catch(() => {});
  await arrived.promise;
  await sql("update holdfast.workers set until = now() - interval '1 second'");
  const heir = await durable("heir");
  const { log: done } = await heir.invoke(null, config);
  expect(done).toEqual(["in", "first of zombie", "second of heir"]);

  taken.resolve();
  await expect(stopped).rejects.toMatchObject({ code: "FENCED" });
  expect((await saver().getTuple(config))?.checkpoint.channel_values.log).toEqual(done);
});
