import { describe, expect, test } from "vitest";
import { type Holdfast, HoldfastError, type HoldfastOptions, idempotencyKey, step } from "../src/index.ts";
import { port, tool } from "./agent.ts";
import { useHoldfast } from "./opened.ts";
import { newId } from "./store.ts";

const { open, sql, leaveRun } = useHoldfast();

const ask = (messages: readonly unknown[], says = "yes") =>
  port().step({ kind: "model", name: "acme/m", input: { messages } }, () => says);

/** What has happened outside, by the key it was done under. */
const world: { did: string; key: string }[] = [];
const does = (did: string) => () => {
  world.push({ did, key: idempotencyKey() });
  return did;
};

/** An agent with parallel tools, a sub-agent inside a tool, a payment, and a last word. */
async function agent(): Promise<string> {
  await ask(["begin"]);
  const found = await Promise.all(["a", "b"].map((what) => tool("mail", { what }, does(`mail ${what}`))));
  const researched = await tool("research", { deep: true }, async () => {
    const thought = await port().lane("researcher", async () => {
      await ask(["think"]);
      return await tool("note", {}, does("note"));
    });
    return thought;
  });
  await ask(["so far", ...found, researched]);
  const paid = await tool("pay", { cents: 5 }, does("pay"));
  return await ask(["end", paid], "done");
}

const count = (did: string, events: readonly { did: string }[]) =>
  events.filter((each) => each.did === did).length;

async function recorded(work: () => Promise<unknown> = agent, options: HoldfastOptions = {}) {
  const [id, holdfast] = [newId(), await open(options)];
  await holdfast.run(id, work, { input: { who: "ana" }, agent: "payer", tags: ["t:1"] });
  return { id, holdfast };
}

describe("a fork", () => {
  test("at every entry goes on to the same end and repeats no effect, or says why it cannot", async () => {
    const { id, holdfast } = await recorded();
    const entries = await holdfast.entries(id);
    const forks = [];
    for (const { seq } of entries) {
      const before = [...world];
      const forked = await holdfast.fork(id, { at: seq }).catch((error: unknown) => error);
      if (HoldfastError.is(forked)) {
        forks.push({ seq, refused: forked.message });
        continue;
      }
      const { id: fork } = forked as { id: string };
      const copied = (await holdfast.entries(fork)).slice(0, seq);
      const value = await holdfast.run(fork, agent);
      forks.push({ seq, fork, copied, value, did: world.slice(before.length), before });
    }

    const refused = forks.flatMap((each) => (each.refused === undefined ? [] : each.refused));
    const why = /the call \S+ is under way, and may happen; it can be forked at \d+/;
    expect(refused.filter((message) => !why.test(message))).toEqual([]);
    const resumed = forks.flatMap((each) => (each.fork === undefined ? [] : each));
    expect(resumed.map(({ seq }) => seq)).toEqual(expect.arrayContaining([1, 2, 3, entries.length]));
    expect(refused.length + resumed.length).toBe(entries.length);
    for (const { seq, fork, copied, value, did, before } of resumed) {
      expect(value).toBe("done");
      expect(copied).toEqual(entries.slice(0, seq).map((entry) => ({ ...entry, runId: fork })));
      // What the prefix says has happened is not done again; the rest is done once, under keys of the fork's own.
      const prefix = entries
        .slice(0, seq)
        .flatMap((entry) => (entry.kind === "observation" ? entry.step : []));
      const mails = prefix.filter((key) => key.startsWith("mail")).length;
      expect({ seq, mail: did.filter((each) => each.did.startsWith("mail")).length }).toEqual({
        seq,
        mail: 2 - mails,
      });
      expect({ seq, note: count("note", did) }).toEqual({ seq, note: prefix.includes("research#0") ? 0 : 1 });
      expect({ seq, pay: count("pay", did) }).toEqual({ seq, pay: prefix.includes("pay#0") ? 0 : 1 });
      expect(new Set([...before, ...did].map(({ key }) => key)).size).toBe(before.length + did.length);
    }
  });

  test("says where it comes from, is a run of its own, and outlives the other", async () => {
    const { id, holdfast } = await recorded();
    const fork = await holdfast.fork(id, { id: newId() });
    expect(await holdfast.runs.get(fork.id)).toMatchObject({
      forkedFrom: id,
      agent: "payer",
      tags: ["t:1"],
      input: { who: "ana" },
      status: "waiting",
      waitingOn: "caller",
      parent: undefined,
    });
    const entries = await holdfast.entries(id);
    expect((await holdfast.entries(fork.id)).at(-1)).toMatchObject({
      note: "forked",
      from: id,
      shared: entries.length,
    });
    const request = await holdfast.request(id, "model#1");
    await holdfast.runs.delete(id);
    expect(await holdfast.request(fork.id, "model#1")).toEqual(request);
    expect(await holdfast.run(fork.id, agent)).toBe("done");
  });

  test("of an unfinished run goes on by itself, and the run as well", async () => {
    const made: string[] = [];
    const work = (ends: () => Promise<unknown>) => async () => {
      await step("a", () => made.push("a"));
      await ends();
      return await step("b", () => made.push("b"));
    };
    const id = await leaveRun(async (underWay) => {
      await work(async () => {
        underWay();
        await new Promise(() => {});
      })();
    });
    const holdfast = await open();
    const { id: fork } = await holdfast.fork(id);
    expect(
      await holdfast.run(
        fork,
        work(async () => {}),
      ),
    ).toBe(2);
    expect(
      await holdfast.run(
        id,
        work(async () => {}),
      ),
    ).toBe(3);
    expect(made).toEqual(["a", "b", "b"]);
  });

  test("takes only the blobs that its entries name", async () => {
    const { id, holdfast } = await recorded(async () => {
      await ask(["first"]);
      await ask(["second"]);
    });
    const entries = await holdfast.entries(id);
    const first = entries.find((entry) => entry.kind === "observation")?.seq;
    const { id: fork } = await holdfast.fork(id, { at: first as number });
    const blobs = (runId: string) =>
      sql("select from holdfast.blobs join holdfast.runs using (run) where run_id = $1", [runId]);
    expect((await blobs(id)).length).toBeGreaterThan((await blobs(fork)).length);
    expect((await blobs(fork)).length).toBeGreaterThan(0);
    expect(await holdfast.request(fork, "model#0")).toEqual({ messages: ["first"] });
  });

  test.each([0, -1, 1.5, 1000])("at %d, where there is no entry, is refused", async (at) => {
    const { id, holdfast } = await recorded(async () => 1);
    await expect(holdfast.fork(id, { at })).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  });

  test("of no run, of a pruned one, or under an id that is taken, is refused", async () => {
    const { id, holdfast } = await recorded(async () => 1);
    await expect(holdfast.fork("no such run")).rejects.toMatchObject({ code: "RUN_NOT_FOUND" });
    const taken = holdfast.fork(id, { id });
    await expect(taken).rejects.toMatchObject({ code: "COMMAND_NOT_ALLOWED", message: /there is a run/ });
    await holdfast.prune({ olderThan: 0 });
    await expect(holdfast.fork(id)).rejects.toMatchObject({ code: "COMMAND_NOT_ALLOWED" });
  });
});

describe("what a fork sets", () => {
  const buys = (calls: unknown[]) => async () => {
    const quote = await tool("quote", {}, () => ({ cents: 500 }), { effect: "read" });
    const said = await ask(["quote", quote], "buy");
    const known = await tool("stock", { said }, () => calls.push("stock"), { effect: "read" });
    return await tool("buy", { quote, known }, (live) => calls.push(live.key) && quote);
  };

  test("reaches everything that comes after it: answers and reads are made anew", async () => {
    const calls: unknown[] = [];
    const { id, holdfast } = await recorded(buys(calls));
    const intended = (await holdfast.entries(id)).find(
      (entry) => entry.kind === "intent" && entry.name === "buy",
    );
    const { id: fork } = await holdfast.fork(id, {
      at: (intended?.seq as number) - 1,
      set: { steps: { "quote#0": { output: { cents: 900 } } } },
    });
    expect(await holdfast.run(fork, buys(calls))).toEqual({ cents: 900 });
    expect(await holdfast.request(fork, "model#0")).toEqual({ messages: ["quote", { cents: 900 }] });
    expect(calls.filter((call) => call === "stock")).toHaveLength(2);
    const diff = await holdfast.diff(id, fork);
    expect(diff.steps.map(({ at, name }) => `${at} ${name}`)).toEqual([
      "changed quote",
      "drifted acme/m",
      "changed stock",
      "drifted buy",
    ]);
    expect(await holdfast.request(id, "model#0")).toEqual({ messages: ["quote", { cents: 500 }] });
  });

  test("is refused where an effect has happened on what was", async () => {
    const { id, holdfast } = await recorded(buys([]));
    const set = { steps: { "quote#0": { output: { cents: 900 } } } };
    await expect(holdfast.fork(id, { set })).rejects.toThrow(
      /the effect buy#0 .* happened after it as it was; fork it at 4/,
    );
    await expect(holdfast.fork(id, { set: { input: 1 } })).rejects.toThrow(/fork it at 1/);
  });

  test("may be the input", async () => {
    const { id, holdfast } = await recorded(async () => 1);
    const fork = await holdfast.fork(id, { at: 1, set: { input: { who: "bob" } } });
    expect(await holdfast.runs.get(fork.id)).toMatchObject({ input: { who: "bob" } });
    await expect(holdfast.run(fork.id, () => 1, { input: { who: "ana" } })).rejects.toMatchObject({
      code: "RUN_EXISTS_DIFFERENT",
    });
    expect(await holdfast.run(fork.id, () => 1, { input: { who: "bob" } })).toBe(1);
  });

  test.each<[string, object]>([
    ["a step that is not there", { steps: { "nothing#0": { output: 1 } } }],
    ["a model, which is the code's", { model: "other" }],
  ])("may not be %s", async (_, set) => {
    const { id, holdfast } = await recorded(async () => 1);
    await expect(holdfast.fork(id, { set })).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  });
});

describe("a fork of a run that asked a person", () => {
  const policy = [{ name: "payments", tool: "pay", then: "ask" }] as const;
  const pays = (calls: string[]) => async () => {
    await ask(["begin"]);
    return await tool("pay", { cents: 5 }, ({ key }) => {
      calls.push(key);
      return "paid";
    });
  };

  async function approved(): Promise<{ id: string; holdfast: Holdfast; calls: string[] }> {
    const [id, holdfast] = [newId(), await open({ policy })];
    const calls: string[] = [];
    const error = (await holdfast
      .run(id, pays(calls))
      .catch((error: unknown) => error)) as HoldfastError<"RUN_WAITING">;
    await holdfast.questions.answer(error.details.questions[0] as string, { approve: true, by: "ana" });
    await holdfast.run(id, pays(calls));
    return { id, holdfast, calls };
  }

  test("asks again for a call that has not happened in it: an approval holds for one call", async () => {
    const { id, holdfast, calls } = await approved();
    const entries = await holdfast.entries(id);
    const forks = [];
    for (const { seq } of entries) {
      const forked = await holdfast.fork(id, { at: seq }).catch((error: unknown) => error);
      if (HoldfastError.is(forked)) {
        forks.push({ seq, refused: forked.message });
        continue;
      }
      const fork = (forked as { id: string }).id;
      const before = calls.length;
      const came = await holdfast.run(fork, pays(calls)).catch((error: unknown) => error);
      const asked = HoldfastError.is(came, "RUN_WAITING") ? came.details : undefined;
      const early = calls.length - before;
      const [question] = asked?.questions ?? [];
      if (question !== undefined) await holdfast.questions.answer(question, { approve: true, by: "ana" });
      const value = asked ? await holdfast.run(fork, pays(calls)) : came;
      forks.push({ seq, waitingOn: asked?.waitingOn, early, value, paid: calls.length - before });
    }
    const paidAt = entries.find((entry) => entry.kind === "observation" && entry.step === "pay#0")
      ?.seq as number;
    const intended = entries.find((entry) => entry.kind === "intent")?.seq as number;
    const openCall: unknown = expect.stringContaining("pay#0 is under way");
    expect(forks).toEqual(
      entries.map(({ seq }) => {
        if (seq >= paidAt) return { seq, waitingOn: undefined, early: 0, value: "paid", paid: 0 };
        if (seq >= intended) return { seq, refused: openCall };
        return { seq, waitingOn: "approval", early: 0, value: "paid", paid: 1 };
      }),
    );
    expect(new Set(calls).size).toBe(calls.length);
  });
});

describe("a fork of a fleet's run", () => {
  test("is queued, and worked on by whoever has its agent", async () => {
    const holdfast = await open();
    const calls: string[] = [];
    const payer = holdfast.agent("payer", async ({ cents }: { cents: number }) => {
      const quoted = await step("quote", () => calls.push("quote"));
      return await step("pay", () => `${calls.push("pay") && cents} ${quoted}`);
    });
    const worker = holdfast.worker({ concurrency: 2 });
    await worker.start();
    const run = await holdfast.start(payer, { cents: 5 });
    expect(await run.result()).toBe("5 1");
    const quoted = (await run.entries()).find((entry) => entry.kind === "observation");
    const again = await holdfast.fork(run.id, { at: quoted?.seq as number });
    expect(await again.result()).toBe("5 1");
    const other = await holdfast.fork(run.id, { at: 1, set: { input: { cents: 7 } } });
    expect(await other.result()).toBe("7 4");
    expect(calls).toEqual(["quote", "pay", "pay", "quote", "pay"]);
    await worker.stop();
  });

  test("needs room in the queue, as a start does", async () => {
    const holdfast = await open({ queueLimit: 1 });
    const idle = holdfast.agent("idle", async () => 1);
    const run = await holdfast.start(idle, {});
    await expect(holdfast.fork(run.id)).rejects.toMatchObject({ code: "QUEUE_FULL" });
    await sql("update holdfast.runs set status = 'cancelled' where run_id = $1", [run.id]);
    expect(await (await holdfast.fork(run.id)).status()).toBe("queued");
  });
});

test("what was spent before a fork counts against its budget only where that is asked for", async () => {
  const holdfast = await open({ tools: { pay: { cost: () => 5_000 } } });
  const id = newId();
  await holdfast.run(id, () => tool("pay", { cents: 5 }, does("pay")), { budget: 1_000_000 });
  const spentBy = async (run: { id: string }) => (await holdfast.runs.get(run.id)).budget.spent;
  expect(await spentBy({ id })).toBe(5_000);
  expect(await spentBy(await holdfast.fork(id))).toBe(0);
  expect(await spentBy(await holdfast.fork(id, { countSpent: true }))).toBe(5_000);
  expect((await holdfast.diff(id, id)).a.cost).toBe(5_000);
});
