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

describe("a fork whose code asks something else", () => {
  const look = { effect: "read" } as const;
  /** Asks, looks up, asks, pays, and asks: with a system prompt. */
  const works =
    (system: string, calls: unknown[] = []) =>
    async () => {
      const ask = (...more: unknown[]) =>
        port().step({ kind: "model", name: "acme/m", input: { messages: [system, ...more] } }, () => {
          calls.push("model");
          return `${system} ${more.length}`;
        });
      const first = await ask();
      const [known] = await Promise.all([
        tool("stock", { of: "kettle" }, () => calls.push("stock"), look),
        tool("research", {}, () => port().lane("inner", () => ask("inner")), look),
      ]);
      const second = await ask(first, known);
      const paid = await tool("pay", { cents: 5 }, () => calls.push("pay") && second);
      return await ask(first, second, paid);
    };

  async function forkedAt(name: string, drift?: "rerun") {
    const { id, holdfast } = await recorded(works("Be kind."));
    const entry = (await holdfast.entries(id)).find(
      (entry) => entry.kind === "intent" && entry.name === name,
    );
    return { id, holdfast, fork: (await holdfast.fork(id, { at: (entry?.seq ?? 0) - 1, drift })).id };
  }

  test("uses the record, and notes that, where nothing else is said", async () => {
    const { holdfast, fork } = await forkedAt("pay");
    const calls: unknown[] = [];
    expect(await holdfast.run(fork, works("Be exact.", calls))).toBe("Be exact. 3");
    expect(calls).toEqual(["pay", "model"]);
  });

  test("asks the model anew under rerun, and does again what may stand on its answer", async () => {
    const { id, holdfast, fork } = await forkedAt("pay", "rerun");
    const calls: unknown[] = [];
    expect(await holdfast.run(fork, works("Be exact.", calls))).toBe("Be exact. 3");
    expect(calls.map(String).sort()).toEqual(["model", "model", "model", "model", "pay", "stock"]);
    expect(await holdfast.request(fork, "model#1")).toEqual({ messages: ["Be exact.", "Be exact. 0", 2] });
    const notes = (await holdfast.entries(fork)).flatMap((entry) =>
      entry.kind === "note" ? [entry.note] : [],
    );
    expect(notes).toEqual(["forked", "resampled"]);
    const before = await holdfast.entries(fork);
    expect(await (await open()).run(fork, works("Be exact.", calls))).toBe("Be exact. 3");
    expect(await holdfast.entries(fork)).toEqual(before);
    expect((await holdfast.diff(id, fork)).steps.map(({ at, name }) => `${at} ${name}`)).toContain(
      "changed pay",
    );
  });

  test("asks nothing anew under rerun where it asks what is on record", async () => {
    const { holdfast, fork } = await forkedAt("pay", "rerun");
    const calls: unknown[] = [];
    expect(await holdfast.run(fork, works("Be kind.", calls))).toBe("Be kind. 3");
    expect(calls).toEqual(["pay", "model"]);
  });

  test("stops with DRIFTED where an effect may stand on the answer, and asks nothing", async () => {
    const { id, holdfast } = await recorded(works("Be kind."));
    const { id: fork } = await holdfast.fork(id, { drift: "rerun" });
    const calls: unknown[] = [];
    await expect(holdfast.run(fork, works("Be exact.", calls))).rejects.toMatchObject({
      code: "DRIFTED",
      message: expect.stringContaining("the effect pay#0 may stand on that answer: fork the run before it"),
    });
    expect(calls).toEqual([]);
    expect(await holdfast.run(fork, works("Be kind.", calls))).toBe("Be kind. 3");
  });

  test("keeps an effect that it came to before it asks something else", async () => {
    const calls: unknown[] = [];
    const work = (last: string) => async () => {
      const answered = Promise.withResolvers<void>();
      const paying = tool("pay", { cents: 5 }, async () => {
        await answered.promise;
        return calls.push("pay");
      });
      const said = await ask([last], last);
      answered.resolve();
      await paying;
      return said;
    };
    const { id, holdfast } = await recorded(work("Be kind."));
    const { id: fork } = await holdfast.fork(id, { drift: "rerun" });
    expect(await holdfast.run(fork, work("Be exact."))).toBe("Be exact.");
    expect(calls).toEqual(["pay"]);
  });

  test("is refused under any other word", async () => {
    const { id, holdfast } = await recorded(works("Be kind."));
    const forking = holdfast.fork(id, { drift: "accept" as never });
    await expect(forking).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
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
