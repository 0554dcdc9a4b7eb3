import { describe, expect, test } from "vitest";
import { idempotencyKey, step } from "../src/index.ts";
import { outcomeOf, plans, told, tool, within } from "./agent.ts";
import { counter, forever, useHoldfast } from "./opened.ts";
import { eventually, newId } from "./store.ts";

const { open, interruptRun, leaveRun } = useHoldfast();
const ana = { by: "ana" };
const soon = { attempts: 3, firstMs: 1 };

/** Work that fails so many times, and then gives the value. */
function failing(times: number, value: unknown = "done") {
  const keys: string[] = [];
  return {
    keys,
    work: () => {
      keys.push(idempotencyKey());
      if (keys.length <= times) throw new Error(`no ${keys.length}`);
      return value;
    },
  };
}

describe.each(["read", "idempotent"] as const)("a call that is %s", (effect) => {
  const calls: [string, (name: string, work: () => unknown, limits: object) => Promise<unknown>][] = [
    ["tool", (name, work, limits) => tool(name, {}, work, { effect, ...limits })],
    ["step", (name, work, limits) => step(name, work, { effect, ...limits })],
  ];

  describe.each(calls)("as a %s", (_, call) => {
    test("is tried again after an error: one intent, one key, a note for each failure", async () => {
      const [id, holdfast] = [newId(), await open()];
      const { keys, work } = failing(2);
      expect(await holdfast.run(id, () => call("look", work, { retry: soon }))).toBe("done");
      expect(keys).toHaveLength(3);
      expect(new Set(keys).size).toBe(1);
      expect(await told(holdfast, id)).toEqual([
        "intent look#0",
        "note retried look#0",
        "note retried look#0",
        "observation look#0",
        "outcome",
      ]);
      expect((await holdfast.entries(id)).filter(({ kind }) => kind === "note")).toMatchObject([
        { tries: 1, error: "Error: no 1", waitMs: expect.any(Number) },
        { tries: 2, error: "Error: no 2", waitMs: expect.any(Number) },
      ]);
    });

    test("has the last error as its outcome once all tries are used up", async () => {
      const { keys, work } = failing(9);
      const asking = () => outcomeOf(call("look", work, { retry: soon }));
      const id = await interruptRun(async (interrupt) => {
        expect(await asking()).toBe("no 3");
        await interrupt();
      });
      const holdfast = await open();
      expect(await holdfast.run(id, asking)).toBe("no 3");
      expect(keys).toHaveLength(3);
      expect((await holdfast.entries(id)).find(({ kind }) => kind === "observation")).toMatchObject({
        ok: false,
        error: { message: "no 3" },
      });
    });

    test("is tried once where nothing was said of tries", async () => {
      const { keys, work } = failing(9);
      expect(await (await open()).run(newId(), () => outcomeOf(call("look", work, {})))).toBe("no 1");
      expect(keys).toHaveLength(1);
    });

    test("that takes too long has failed with TIMED_OUT, and its signal is aborted", async () => {
      const [id, holdfast] = [newId(), await open()];
      const signals: AbortSignal[] = [];
      const asking = () =>
        outcomeOf(
          tool(
            "look",
            {},
            ({ signal }) => {
              signals.push(signal);
              return forever();
            },
            { effect, timeoutMs: 20 },
          ),
        );
      expect(await holdfast.run(id, asking)).toBe("TIMED_OUT");
      expect(signals).toMatchObject([{ aborted: true, reason: { code: "TIMED_OUT" } }]);
      expect(await told(holdfast, id)).toEqual(["intent look#0", "observation look#0", "outcome"]);
      expect((await holdfast.entries(id))[3]).toMatchObject({
        ok: false,
        error: { code: "TIMED_OUT", details: { runId: id, step: "look#0", timeoutMs: 20 } },
      });
    });

    test("that takes too long is tried again where that was asked for", async () => {
      const [id, holdfast] = [newId(), await open()];
      const { calls, does } = counter();
      const work = () => {
        const isFirst = calls.length === 0;
        does("look")();
        return isFirst ? forever() : "seen";
      };
      const limits = { timeoutMs: 20, retry: soon };
      expect(await holdfast.run(id, () => call("look", work, limits))).toBe("seen");
      expect(calls).toEqual(["look", "look"]);
      expect(await told(holdfast, id)).toContain("note retried look#0");
    });

    test("that is quick enough is not disturbed by its time limit", async () => {
      const signals: AbortSignal[] = [];
      const asking = async () => {
        const seen = await tool(
          "look",
          {},
          ({ signal }) => {
            signals.push(signal);
            return "seen";
          },
          { effect, timeoutMs: 30 },
        );
        await step("wait", () => new Promise((resolve) => setTimeout(resolve, 60)));
        return seen;
      };
      expect(await (await open()).run(newId(), asking)).toBe("seen");
      expect(signals).toMatchObject([{ aborted: false }]);
    });
  });

  test("that timed out does not record what it returns after that", async () => {
    const [id, holdfast] = [newId(), await open()];
    const late = Promise.withResolvers<string>();
    const work = async () => {
      const outcome = await outcomeOf(tool("look", {}, () => late.promise, { effect, timeoutMs: 20 }));
      late.resolve("seen, late");
      await late.promise;
      return [outcome, await outcomeOf(step("next", () => 1))];
    };
    expect(await holdfast.run(id, work)).toEqual(["TIMED_OUT", 1]);
    expect((await told(holdfast, id)).filter((line) => line === "observation look#0")).toHaveLength(1);
  });

  test("does again, when it is tried again, nothing in its body that is once", async () => {
    const { calls, does } = counter();
    const work = async () => {
      await step("charge", does("charge"));
      if (does("body", calls.length)() < 3) throw new Error("no");
      return "done";
    };
    const running = (await open()).run(newId(), () => tool("order", {}, work, { effect, retry: soon }));
    expect(await running).toBe("done");
    expect(calls.filter((call) => call === "charge")).toEqual(["charge"]);
  });

  test("is not tried again once its caller has given it up", async () => {
    const giveUp = new AbortController();
    const { calls, does } = counter();
    const work = () => {
      does("look")();
      setImmediate(() => giveUp.abort(new Error("given up")));
      throw new Error("no");
    };
    const retry = { attempts: 3, firstMs: 500, longestMs: 500 };
    const looking = () => outcomeOf(tool("look", {}, work, { effect, retry, signal: giveUp.signal }));
    await outcomeOf((await open()).run(newId(), looking));
    expect(calls).toEqual(["look"]);
  });

  test("that waits to be tried again does so no more once its run is closed down", async () => {
    const holdfast = await open();
    const failed = Promise.withResolvers<void>();
    const { calls, does } = counter();
    const work = () => {
      does("look")();
      failed.resolve();
      throw new Error("no");
    };
    const retry = { attempts: 2, firstMs: 30_000 };
    const id = newId();
    const running = holdfast.run(id, () => tool("look", {}, work, { effect, retry }));
    running.catch(() => {});
    await failed.promise;
    await holdfast.close({ graceSeconds: 0 });
    await expect(running).rejects.toThrow("(DATABASE_UNAVAILABLE)");
    expect(calls).toEqual(["look"]);
    const again = (await open()).run(id, () => tool("look", {}, does("look", "seen"), { effect, retry }));
    expect(await again).toBe("seen");
  });
});

test("a call that waits to be tried again is not tried once its run was stopped", async () => {
  const id = await interruptRun(async (interrupt) => {
    await step("other", () => 1, { input: 1 });
    await interrupt();
  });
  const failed = Promise.withResolvers<void>();
  const { calls, does } = counter();
  const work = () => {
    does("look")();
    failed.resolve();
    throw new Error("no");
  };
  const retry = { attempts: 2, firstMs: 300 };
  const holdfast = await open();
  const running = holdfast.run(id, async () => {
    const looking = tool("look", {}, work, { effect: "read", retry });
    await failed.promise;
    await Promise.all([looking, step("other", does("other"), { input: 2 })]);
  });
  await expect(running).rejects.toThrow("(DIVERGED)");
  await new Promise((resolve) => setTimeout(resolve, 350)); // nothing says that a call was not made
  expect(calls).toEqual(["look"]);
});

describe("a call that is once", () => {
  const pay = (work: () => unknown, more: object = {}) => tool("pay", { cents: 7 }, work, more);

  test("is not tried again, though it is declared so for what is idempotent", async () => {
    const options = { tools: { pay: { effect: "idempotent", retry: soon } } } as const;
    const { keys, work } = failing(9);
    const running = (await open(options)).run(newId(), () => outcomeOf(pay(work, { effect: "once" })));
    expect(await running).toBe("no 1");
    expect(keys).toHaveLength(1);
  });

  test("is not tried again, though its adapter says so", async () => {
    const { keys, work } = failing(9);
    await (await open()).run(newId(), () => outcomeOf(pay(work, { retry: soon }))).catch(() => {});
    expect(keys).toHaveLength(1);
  });

  test("has what it throws as its outcome: it is thrown again, and the call is not made again", async () => {
    const { calls, does } = counter();
    const paying = () =>
      outcomeOf(
        pay(() => {
          does("pay")();
          throw Object.assign(new RangeError("no money"), { code: "NO_MONEY" });
        }),
      );
    const id = await interruptRun(async (interrupt) => {
      expect(await paying()).toBe("NO_MONEY");
      await interrupt();
    });
    const holdfast = await open();
    expect(await holdfast.run(id, paying)).toBe("NO_MONEY");
    expect(calls).toEqual(["pay"]);
    expect((await holdfast.entries(id)).find(({ kind }) => kind === "observation")).toMatchObject({
      ok: false,
      error: { name: "RangeError", message: "no money" },
    });
  });

  describe("that takes too long", () => {
    const limits = { tools: { pay: { timeoutMs: 20 } } };

    test("is in doubt at once, in the same epoch, and its run parks", async () => {
      const [id, holdfast] = [newId(), await open(limits)];
      const signals: AbortSignal[] = [];
      const running = holdfast.run(id, () =>
        tool("pay", {}, ({ signal }) => {
          signals.push(signal);
          return forever();
        }),
      );
      await expect(running).rejects.toMatchObject({
        code: "RUN_WAITING",
        details: { waitingOn: "doubt", doubts: ["pay#0"] },
      });
      expect(await told(holdfast, id)).toEqual(["intent pay#0", "doubt pay#0", "note parked"]);
      expect(await holdfast.runs.get(id)).toMatchObject({ epoch: 1, status: "waiting", waitingOn: "doubt" });
      expect(signals).toMatchObject([{ aborted: true }]);
      expect(await holdfast.doubts.list({ runId: id })).toMatchObject([
        { step: "pay#0", why: expect.stringContaining("20 ms") },
      ]);
    });

    test("as a step is in doubt at once too", async () => {
      const holdfast = await open();
      const running = holdfast.run(newId(), () => step("pay", () => forever(), { timeoutMs: 20 }));
      await expect(running).rejects.toMatchObject({ code: "RUN_WAITING", details: { doubts: ["pay#0"] } });
    });

    test("cannot say any more what came of it", async () => {
      const [id, holdfast] = [newId(), await open(limits)];
      const late = Promise.withResolvers<string>();
      await holdfast.run(id, () => pay(() => late.promise)).catch(() => {});
      const before = await told(holdfast, id);
      late.resolve("paid, late");
      await late.promise;
      await holdfast.run(newId(), () => step("meanwhile", () => 1));
      expect(await told(holdfast, id)).toEqual(before);
      await holdfast.doubts.resolve(id, "pay#0", { happened: "paid" }, ana);
      expect(await holdfast.run(id, () => pay(() => "paid again"))).toBe("paid");
    });

    test("goes on with what it is said to have come to", async () => {
      const [id, holdfast] = [newId(), await open(limits)];
      const { calls, does } = counter();
      await holdfast.run(id, () => pay(() => forever())).catch(() => {});
      await holdfast.doubts.resolve(id, "pay#0", { happened: { receipt: 7 } }, ana);
      expect(await holdfast.run(id, () => pay(does("pay")))).toEqual({ receipt: 7 });
      expect(calls).toEqual([]);
    });

    test("goes out again where it is said not to have happened", async () => {
      const [id, holdfast] = [newId(), await open(limits)];
      const { calls, does } = counter();
      await holdfast.run(id, () => pay(() => forever())).catch(() => {});
      await holdfast.doubts.resolve(id, "pay#0", { didNotHappen: true }, ana);
      expect(await holdfast.run(id, () => pay(does("pay", "paid")))).toBe("paid");
      expect(calls).toEqual(["pay"]);
    });

    test.each<[string, { happened: string } | { didNotHappen: true }, string[]]>([
      ["with what it came to", { happened: "paid" }, []],
      ["and goes out again where it did not happen", { didNotHappen: true }, ["pay"]],
    ])("goes on without parking, if that is settled while a sibling settles, %s", async (_, said, again) => {
      const [id, holdfast] = [newId(), await open(limits)];
      const done = Promise.withResolvers<string>();
      const { calls, does } = counter();
      let tries = 0;
      const work = () => (tries++ === 0 ? forever() : does("pay", "paid")());
      const underWay = Promise.withResolvers<void>();
      const look = () => {
        underWay.resolve();
        return done.promise;
      };
      const running = holdfast.run(id, () => Promise.all([pay(work), step("look", look)]));
      running.catch(() => {});
      await underWay.promise;
      await eventually(async () => (await told(holdfast, id)).includes("doubt pay#0"));
      await holdfast.doubts.resolve(id, "pay#0", said, ana);
      done.resolve("seen");
      expect(await running).toEqual(["paid", "seen"]);
      expect(calls).toEqual(again);
    });

    test("parks its run though the agent has long gone on without it", async () => {
      const holdfast = await open(limits);
      const running = holdfast.run(newId(), () => {
        void pay(() => forever());
        return "fine";
      });
      await expect(running).rejects.toMatchObject({ code: "RUN_WAITING", details: { doubts: ["pay#0"] } });
    });
  });

  test("that was aborted parks its run instead of ending it, though the agent swallows the abort", async () => {
    const [id, holdfast] = [newId(), await open()];
    const giveUp = new AbortController();
    const { calls, does } = counter();
    const work = async () => {
      const body = () => {
        giveUp.abort(new Error("given up"));
        throw giveUp.signal.reason;
      };
      return await outcomeOf(pay(body, { signal: giveUp.signal }));
    };
    await expect(holdfast.run(id, work)).rejects.toMatchObject({
      code: "RUN_WAITING",
      details: { waitingOn: "doubt", doubts: ["pay#0"] },
    });
    expect(await told(holdfast, id)).toEqual(["intent pay#0", "doubt pay#0", "note parked"]);
    await holdfast.doubts.resolve(id, "pay#0", { happened: "paid" }, ana);
    expect(await holdfast.run(id, () => pay(does("pay again")))).toBe("paid");
    expect(calls).toEqual([]);
  });

  test("that was aborted before does not keep a run from ending that was told what came of it", async () => {
    const [id, holdfast] = [newId(), await open()];
    const giveUp = AbortSignal.abort(new Error("given up"));
    const work = () => outcomeOf(pay(() => Promise.reject(new Error("no")), { signal: giveUp }));
    await holdfast.run(id, work).catch(() => {});
    await holdfast.doubts.resolve(id, "pay#0", { happened: "paid" }, ana);
    expect(await holdfast.run(id, () => "fine")).toBe("fine");
  });
});

describe("a call that was aborted, and the abort swallowed,", () => {
  const signal = AbortSignal.abort(new Error("given up"));
  const look = (effect: "read" | "idempotent", body: () => unknown, more: object = {}) =>
    outcomeOf(tool("look", {}, body, { effect, ...more }));
  const fail = () => Promise.reject(new Error("no"));

  test("has no outcome where it reads: its run ends all the same", async () => {
    expect(await (await open()).run(newId(), () => look("read", fail, { signal }))).toBe("no");
  });

  test("fails its run where it is idempotent, and is called again when the run is", async () => {
    const [id, holdfast] = [newId(), await open()];
    const { calls, does } = counter();
    await expect(holdfast.run(id, () => look("idempotent", fail, { signal }))).rejects.toThrow("no");
    expect(await holdfast.runs.get(id)).toMatchObject({ status: "failed" });
    expect(await holdfast.run(id, () => look("idempotent", does("look", "seen")))).toBe("seen");
    expect(calls).toEqual(["look"]);
  });
});

describe("a business key", () => {
  const options = { tools: { order: { key: ({ item }: { item: string }) => item } } };
  const order = (id: string | undefined, input: object, work: () => unknown) =>
    tool("order", input, work, id === undefined ? {} : { id });
  const planned = (id: string, input: object) => ({ id, name: "order", input: JSON.stringify(input) });

  test("makes an order that the model plans anew, under another id, the same effect", async () => {
    const [id, holdfast] = [newId(), await open(options)];
    const { calls, does } = counter();
    const work = async () => {
      await plans("first", planned("c1", { item: "tea" }));
      const first = await order("c1", { item: "tea" }, does("order", "ordered"));
      await plans("second", planned("c2", { item: "tea" }));
      return [first, await order("c2", { item: "tea" }, does("order", "ordered again"))];
    };
    expect(await holdfast.run(id, work)).toEqual(["ordered", "ordered"]);
    expect(calls).toEqual(["order"]);
    const intents = (await holdfast.entries(id)).filter(({ kind }) => kind === "intent");
    expect(intents).toMatchObject([{ step: "order=tea", id: "c1" }]);
  });

  test("makes it the same effect also after a crash, and though another model call asks for it", async () => {
    const { calls, does } = counter();
    const id = await interruptRun(async (interrupt) => {
      await plans("first", planned("c1", { item: "tea" }));
      await order("c1", { item: "tea" }, does("order", "ordered"));
      await interrupt();
    }, options);
    const again = (await open(options)).run(id, async () => {
      await plans("first", planned("c1", { item: "tea" }));
      await plans("another", planned("c9", { item: "tea" }));
      return await order("c9", { item: "tea" }, does("order again"));
    });
    expect(await again).toBe("ordered");
    expect(calls).toEqual(["order"]);
  });

  test("keeps other keys other effects", async () => {
    const { calls, does } = counter();
    await (await open(options)).run(newId(), async () => {
      await order(undefined, { item: "tea" }, does("tea"));
      await order(undefined, { item: "milk" }, does("milk"));
    });
    expect(calls).toEqual(["tea", "milk"]);
  });

  test("goes out beside one that nobody has come back to: they say themselves which effect they are", async () => {
    const id = await leaveRun(
      (underWay) =>
        order(undefined, { item: "tea" }, () => {
          underWay();
          return forever();
        }),
      options,
    );
    const { calls, does } = counter();
    const running = (await open(options)).run(id, async () => {
      await order(undefined, { item: "milk" }, does("milk"));
      await order(undefined, { item: "tea" }, does("tea"));
    });
    await expect(running).rejects.toMatchObject({ code: "RUN_WAITING", details: { doubts: ["order=tea"] } });
    expect(calls).toEqual(["milk"]);
  });

  test.each(["model#0", "a/b", "50%", "c:1", "k=v", "1.5", "\ud800", "\0", "ä"])(
    "may be any text: %j",
    async (item) => {
      const [id, holdfast] = [newId(), await open(options)];
      const { calls, does } = counter();
      const ordering = () =>
        order(undefined, { item }, async () => {
          await step("look", () => 1);
          return does("order", "ordered")();
        });
      const work = async () => [await ordering(), await ordering()];
      expect(await holdfast.run(id, work)).toEqual(["ordered", "ordered"]);
      expect(calls).toEqual(["order"]);
    },
  );

  test("with other arguments than are on record under it is DIVERGED, and nothing is called", async () => {
    const { calls, does } = counter();
    const running = (await open(options)).run(newId(), async () => {
      await order(undefined, { item: "tea", grams: 100 }, does("order"));
      await order(undefined, { item: "tea", grams: 900 }, does("order more"));
    });
    await expect(running).rejects.toMatchObject({ code: "DIVERGED", details: { step: "order=tea" } });
    expect(calls).toEqual(["order"]);
  });

  test.each<[string, unknown]>([
    ["an empty text", ""],
    ["nothing", undefined],
    ["a number", 7],
    ["a promise", Promise.resolve("tea")],
  ])("that is %s is refused: the run stops, and nothing is called", async (_, key) => {
    const { calls, does } = counter();
    const holdfast = await open({ tools: { order: { key: () => key as string } } });
    const running = holdfast.run(newId(), () => outcomeOf(order(undefined, {}, does("order"))));
    await expect(running).rejects.toThrow("(INVALID_ARGUMENT)");
    expect(calls).toEqual([]);
  });

  test("that cannot be had stops the run, and nothing is called", async () => {
    const { calls, does } = counter();
    const key = ({ to }: { to: { item: string } }) => to.item;
    const running = (await open({ tools: { order: { key } } })).run(newId(), () =>
      outcomeOf(order(undefined, {}, does("order"))),
    );
    await expect(running).rejects.toThrow(TypeError);
    expect(calls).toEqual([]);
  });

  test("goes out once where two orders of one turn name it", async () => {
    const { calls, does } = counter();
    const running = (await open(options)).run(newId(), async () => {
      await plans("turn", planned("c1", { item: "tea" }), planned("c2", { item: "tea" }));
      return await Promise.all(["c1", "c2"].map((id) => order(id, { item: "tea" }, does("order", id))));
    });
    expect(await running).toEqual(["c1", "c1"]);
    expect(calls).toEqual(["order"]);
  });

  test("whose order was under way when its run died is in doubt once, though two calls name it", async () => {
    const work = (body: () => unknown) => async () => {
      await plans("turn", planned("c1", { item: "tea" }), planned("c2", { item: "tea" }));
      return await Promise.all(["c1", "c2"].map((id) => order(id, { item: "tea" }, body)));
    };
    const id = await leaveRun((underWay) => {
      const body = () => {
        underWay();
        return forever();
      };
      return work(body)();
    }, options);
    const holdfast = await open(options);
    const { calls, does } = counter();
    await expect(holdfast.run(id, work(does("order again")))).rejects.toThrow("(RUN_WAITING)");
    // Whoever beats may notice a dead owner before the run is taken.
    const lines = (await told(holdfast, id)).filter((line) => line !== "takeover");
    expect(lines).toEqual(["observation model#0", "intent order=tea", "doubt order=tea", "note parked"]);
    await holdfast.doubts.resolve(id, "order=tea", { happened: "ordered" }, ana);
    expect(await holdfast.run(id, work(does("order again")))).toEqual(["ordered", "ordered"]);
    expect(calls).toEqual([]);
  });
});

describe("the same tool call twice at once", () => {
  const pay = (work: () => unknown, more: object = {}) => tool("pay", {}, work, { id: "c1", ...more });
  const emitting = () => plans("turn", { id: "c1", name: "pay", input: "{}" });

  test("is one call: both are given what comes of it", async () => {
    const done = Promise.withResolvers<string>();
    const { calls, does } = counter();
    const body = () => {
      does("pay")();
      setImmediate(() => done.resolve("paid"));
      return done.promise;
    };
    const running = (await open()).run(newId(), async () => {
      await emitting();
      return await Promise.all([pay(body), pay(does("pay twice"))]);
    });
    expect(await running).toEqual(["paid", "paid"]);
    expect(calls).toEqual(["pay"]);
  });

  test("is one call that threw: both are thrown what it threw", async () => {
    const { calls, does } = counter();
    const running = (await open()).run(newId(), async () => {
      await emitting();
      const body = async () => {
        does("pay")();
        throw new Error("no");
      };
      return await Promise.all([outcomeOf(pay(body)), outcomeOf(pay(does("pay twice")))]);
    });
    expect(await running).toEqual(["no", "no"]);
    expect(calls).toEqual(["pay"]);
  });

  test("is one doubt where it was under way when its run died", async () => {
    const work = (body: () => unknown) => async () => {
      await emitting();
      return await Promise.all([pay(body), pay(body)]);
    };
    const id = await leaveRun((underWay) =>
      work(() => {
        underWay();
        return forever();
      })(),
    );
    const holdfast = await open();
    await expect(
      holdfast.run(
        id,
        work(() => 1),
      ),
    ).rejects.toThrow("(RUN_WAITING)");
    expect((await told(holdfast, id)).filter((line) => line.startsWith("doubt"))).toHaveLength(1);
    expect(await holdfast.doubts.list({ runId: id })).toHaveLength(1);
  });

  test("is one doubt where it takes too long", async () => {
    const [id, holdfast] = [newId(), await open()];
    const running = holdfast.run(id, async () => {
      await emitting();
      return await Promise.all([
        pay(() => forever(), { timeoutMs: 20 }),
        pay(() => forever(), { timeoutMs: 20 }),
      ]);
    });
    await expect(running).rejects.toThrow("(RUN_WAITING)");
    expect((await told(holdfast, id)).filter((line) => line.startsWith("doubt"))).toHaveLength(1);
  });
});

test("a run that parks because of a doubt is closed down within the time that was given for it", async () => {
  const id = await leaveRun((underWay) =>
    tool("pay", {}, () => {
      underWay();
      return forever();
    }),
  );
  const holdfast = await open();
  const [underWay, done] = [Promise.withResolvers<void>(), Promise.withResolvers<string>()];
  const running = holdfast.run(id, () =>
    Promise.all([
      tool("pay", {}, () => 1),
      step("look", () => {
        underWay.resolve();
        return done.promise;
      }),
    ]),
  );
  running.catch(() => {});
  await underWay.promise;
  const closing = holdfast.close({ graceSeconds: 0 }).then(() => "closed");
  const closed = await within(2000, closing);
  done.resolve("seen");
  await closing;
  expect(closed).toBe("closed");
});
