import { describe, expect, test } from "vitest";
import {
  type Holdfast,
  type HoldfastOptions,
  once,
  type Reconciled,
  type ToolSettings,
} from "../src/index.ts";
import { idempotencyKeyOf } from "../src/ledger/key.ts";
import { outcomeOf, plans, told as toldOfAll, tool } from "./agent.ts";
import { counter, forever, useHoldfast } from "./opened.ts";
import { newId } from "./store.ts";

const { open, openTapped, leaveRun, sql } = useHoldfast();
const ana = { by: "ana" };

type Reconcile = NonNullable<ToolSettings["reconcile"]>;
const asking = (reconcile: Reconcile, more: ToolSettings = {}): HoldfastOptions => ({
  tools: { pay: { ...more, reconcile } },
});

const pay = (body: () => unknown, input: unknown = { cents: 7 }) => tool("pay", input, body);

/** Whoever beats may notice a dead owner before the run is taken: how often it was taken is beside the point here. */
const told = async (holdfast: Holdfast, id: string) =>
  (await toldOfAll(holdfast, id)).filter((line) => line !== "takeover");

/** A run that died while it paid. Its owner's time is over; the time limit of its call may not be. */
const paying = (options?: HoldfastOptions) =>
  leaveRun(
    (underWay) =>
      pay(() => {
        underWay();
        return forever();
      }),
    options,
  );

describe("a tool that knows that the call happened", () => {
  test("is not heard where a person was quicker, and the run had read that", async () => {
    const id = await paying();
    const [asked, looked] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const answer = Promise.withResolvers<Reconciled>();
    const holdfast = await open(
      asking(() => {
        asked.resolve();
        return answer.promise;
      }),
    );
    const look = async () => {
      await looked.promise;
      const seen = await once("look", () => "seen");
      answer.resolve({ done: "late" });
      return seen;
    };
    const running = holdfast.run(id, () => Promise.all([pay(() => "paid"), look()]));
    await asked.promise;
    await holdfast.doubts.resolve(id, "pay#0", { happened: "she looked" }, ana);
    looked.resolve();
    expect(await running).toEqual(["she looked", "seen"]);
    expect((await told(holdfast, id)).filter((line) => line === "resolution pay#0")).toHaveLength(1);
  });

  test("has its word recorded as the outcome, and the call is not made", async () => {
    const id = await paying();
    const holdfast = await open(asking(() => ({ done: { receipt: 7n } })));
    const { calls, does } = counter();
    expect(await holdfast.run(id, () => pay(does("pay")))).toEqual({ receipt: 7n });
    expect(calls).toEqual([]);
    expect(await told(holdfast, id)).toEqual(["intent pay#0", "resolution pay#0", "outcome"]);
    expect((await holdfast.entries(id)).find(({ kind }) => kind === "resolution")).toMatchObject({
      happened: true,
      by: "reconcile",
      output: { receipt: 7n },
    });
  });

  test("is not asked again by the next execution", async () => {
    const id = await paying();
    const { calls, does } = counter();
    const options = asking(does("asked", { done: "paid" }));
    const failing = async () => {
      await pay(does("pay"));
      throw new Error("later");
    };
    await (await open(options)).run(id, failing).catch(() => {});
    expect(await (await open(options)).run(id, () => pay(does("pay")))).toBe("paid");
    expect(calls).toEqual(["asked"]);
  });

  test("may have come to nothing", async () => {
    const id = await paying();
    const holdfast = await open(asking(() => ({ done: undefined })));
    expect(await holdfast.run(id, () => pay(() => "again"))).toBeUndefined();
    expect(await told(holdfast, id)).toContain("resolution pay#0");
  });

  test("is asked with the key that the call carried, and its input", async () => {
    const id = await paying();
    const asked: unknown[] = [];
    const reconcile: Reconcile = (call) => {
      asked.push(call);
      return { done: 1 };
    };
    await (await open(asking(reconcile))).run(id, () => pay(() => 1));
    expect(asked).toEqual([{ key: idempotencyKeyOf(id, "pay#0"), input: { cents: 7 } }]);
  });

  test("is asked with the input as the model wrote it, where one did", async () => {
    const work = (body: () => unknown) => async () => {
      await plans("turn", { id: "c1", name: "pay", input: '{"cents": 7}' });
      return await tool("pay", { cents: 7, currency: "EUR" }, body, { id: "c1" });
    };
    const id = await leaveRun((underWay) =>
      work(() => {
        underWay();
        return forever();
      })(),
    );
    const asked: unknown[] = [];
    const reconcile: Reconcile = ({ input }) => {
      asked.push(input);
      return { done: 1 };
    };
    await (await open(asking(reconcile))).run(
      id,
      work(() => 1),
    );
    expect(asked).toEqual([{ cents: 7 }]);
  });

  test("answers for a call that took too long, in the same epoch", async () => {
    const [id, holdfast] = [newId(), await open(asking(() => ({ done: "paid" }), { timeoutMs: 20 }))];
    expect(await holdfast.run(id, () => pay(() => forever()))).toBe("paid");
    expect(await told(holdfast, id)).toEqual(["intent pay#0", "doubt pay#0", "resolution pay#0", "outcome"]);
    expect(await holdfast.runs.get(id)).toMatchObject({ epoch: 1 });
  });

  test("is asked once, though the same call is made twice at once", async () => {
    const work = (body: () => unknown) => async () => {
      await plans("turn", { id: "c1", name: "pay", input: "{}" });
      const once = () => tool("pay", {}, body, { id: "c1" });
      return await Promise.all([once(), once()]);
    };
    const id = await leaveRun((underWay) =>
      work(() => {
        underWay();
        return forever();
      })(),
    );
    const { calls, does } = counter();
    const holdfast = await open(asking(does("asked", { done: "paid" })));
    expect(await holdfast.run(id, work(does("pay")))).toEqual(["paid", "paid"]);
    expect(calls).toEqual(["asked"]);
  });

  test("is asked once about a call that took too long, though it is made twice at once", async () => {
    const { calls, does } = counter();
    const holdfast = await open(asking(does("asked", { done: "paid" }), { timeoutMs: 20 }));
    const running = holdfast.run(newId(), async () => {
      await plans("turn", { id: "c1", name: "pay", input: "{}" });
      const once = () => tool("pay", {}, () => forever(), { id: "c1" });
      return await Promise.all([once(), once()]);
    });
    expect(await running).toEqual(["paid", "paid"]);
    expect(calls).toEqual(["asked"]);
  });

  test("says something that cannot be kept: the run does not go on with it", async () => {
    const id = await paying();
    const { calls, does } = counter();
    const holdfast = await open(asking(() => ({ done: () => 1 })));
    await outcomeOf(holdfast.run(id, () => outcomeOf(pay(does("pay")))));
    expect(calls).toEqual([]);
    expect((await told(holdfast, id)).filter((line) => line.startsWith("resolution"))).toEqual([]);
  });
});

describe("a tool that does not know what became of the call", () => {
  test.each<[string, Reconcile]>([
    ["says so", () => "unknown"],
    ["says so later", () => Promise.resolve("unknown")],
    [
      "throws",
      () => {
        throw new Error("no");
      },
    ],
    ["rejects", () => Promise.reject(new Error("no"))],
    ["says nothing", () => undefined as never],
    ["says null", () => null as never],
    ["says what nobody understands", () => "maybe" as never],
    ["says yes", () => true as never],
    ["says a record that is none of ours", () => ({ happened: 1 }) as never],
  ])("and %s parks the run, and the call is not made", async (_, reconcile) => {
    const id = await paying();
    const holdfast = await open(asking(reconcile));
    const { calls, does } = counter();
    await expect(holdfast.run(id, () => pay(does("pay")))).rejects.toMatchObject({
      code: "RUN_WAITING",
      details: { waitingOn: "doubt", doubts: ["pay#0"] },
    });
    expect(await told(holdfast, id)).toEqual(["intent pay#0", "doubt pay#0", "note parked"]);
    await holdfast.doubts.resolve(id, "pay#0", { happened: "paid" }, ana);
    expect(await holdfast.run(id, () => pay(does("pay")))).toBe("paid");
    expect(calls).toEqual([]);
  });

  test("and never answers does not keep its Holdfast from being closed, and the call is not made", async () => {
    const id = await paying();
    const asked = Promise.withResolvers<void>();
    const reconcile = () => {
      asked.resolve();
      return forever<never>();
    };
    const { calls, does } = counter();
    const holdfast = await open(asking(reconcile));
    const running = holdfast.run(id, () => pay(does("pay")));
    running.catch(() => {});
    await asked.promise;
    await holdfast.close({ graceSeconds: 0 });
    await expect(running).rejects.toThrow("(DATABASE_UNAVAILABLE)");
    expect(calls).toEqual([]);
    const other = await open(asking(() => ({ done: "paid" })));
    expect(await other.run(id, () => pay(does("pay")))).toBe("paid");
    expect(calls).toEqual([]);
  });

  test("is not asked again once the run is parked: a person says", async () => {
    const id = await paying();
    const { calls, does } = counter();
    const holdfast = await open(asking(does("asked", "unknown" as const)));
    await holdfast.run(id, () => pay(does("pay"))).catch(() => {});
    await holdfast.run(id, () => pay(does("pay"))).catch(() => {});
    expect(calls).toEqual(["asked"]);
  });
});

test("a call whose outcome is on record is not asked about", async () => {
  const [id, { calls, does }] = [newId(), counter()];
  const options = asking(does("asked", "unknown" as const));
  const work = async () => {
    await pay(does("pay", "paid"));
    if (calls.length === 1) throw new Error("later");
    return "done";
  };
  const holdfast = await open(options);
  await holdfast.run(id, work).catch(() => {});
  await does("between")();
  expect(await holdfast.run(id, work)).toBe("done");
  expect(calls).toEqual(["pay", "between"]);
});

describe("a tool that says that the call was not made", () => {
  test("is believed where the owner's lease is over and nothing limits the call's time: it goes out once", async () => {
    const id = await paying();
    const { calls, does } = counter();
    const holdfast = await open(asking(does("asked", "notDone" as const)));
    expect(await holdfast.run(id, () => pay(does("pay", "paid")))).toBe("paid");
    expect(await holdfast.run(id, () => pay(does("pay again")))).toBe("paid");
    expect(calls).toEqual(["asked", "pay"]);
    expect(await told(holdfast, id)).toEqual([
      "intent pay#0",
      "resolution pay#0",
      "intent pay#0",
      "observation pay#0",
      "outcome",
    ]);
  });

  test("is not believed before the time limit of the call is over, and then asked again", async () => {
    const timeoutMs = 1500;
    const id = await paying();
    const said: number[] = [];
    const reconcile: Reconcile = () => {
      said.push(performance.now());
      return "notDone";
    };
    const holdfast = await open(asking(reconcile, { timeoutMs }));
    await leaseEndsNow(holdfast, id);
    const until = await untilOf(id);
    const wentOut = Promise.withResolvers<Date>();
    const running = holdfast.run(id, () =>
      pay(async () => {
        wentOut.resolve(new Date());
        return "paid";
      }),
    );
    expect(await running).toBe("paid");
    expect(said).toHaveLength(2);
    const [{ at }] = (await sql<{ at: Date }>(
      "select at from holdfast.entries join holdfast.runs using (run) where run_id = $1 and kind = 'resolution'",
      [id],
    )) as [{ at: Date }];
    expect(at.getTime()).toBeGreaterThanOrEqual(until.getTime() + timeoutMs);
  });

  test("is believed where it says so only before the time is over, if it then says that it was", async () => {
    const id = await paying();
    const { calls, does } = counter();
    const answers = ["notDone", { done: "paid, late" }] as const;
    const reconcile: Reconcile = () => {
      does("asked")();
      return answers[calls.length - 1] as "notDone";
    };
    const holdfast = await open(asking(reconcile, { timeoutMs: 1500 }));
    await leaseEndsNow(holdfast, id);
    expect(await holdfast.run(id, () => pay(does("pay")))).toBe("paid, late");
    expect(calls).toEqual(["asked", "asked"]);
  });

  test("and then does not know any more parks the run", async () => {
    const id = await paying();
    const { calls, does } = counter();
    const reconcile: Reconcile = () => {
      does("asked")();
      return calls.length === 1 ? "notDone" : "unknown";
    };
    const holdfast = await open(asking(reconcile, { timeoutMs: 1500 }));
    await leaseEndsNow(holdfast, id);
    await expect(holdfast.run(id, () => pay(does("pay")))).rejects.toThrow("(RUN_WAITING)");
    expect(calls).toEqual(["asked", "asked"]);
  });

  test("is not believed while the lease of an owner that lives on is good", async () => {
    // The run was given up by an owner that is alive: its lease stands for an hour, its loop turned, or is wedged.
    const id = await paying({ leaseSeconds: 3600 });
    await sql(
      `update holdfast.workers set until = now() + interval '600 milliseconds'
        where worker = (select leased_by from holdfast.runs where run_id = $1)`,
      [id],
    );
    await sql(
      "update holdfast.runs set status = 'waiting', waiting_on = 'caller', leased_by = null where run_id = $1",
      [id],
    );
    const until = await untilOf(id);
    const { calls, does } = counter();
    const holdfast = await open(asking(does("asked", "notDone" as const)));
    expect(await holdfast.run(id, () => pay(does("pay", "paid")))).toBe("paid");
    expect(calls).toEqual(["asked", "asked", "pay"]);
    const [entry] = (await holdfast.entries(id)).filter(({ kind }) => kind === "resolution");
    expect(entry?.at.getTime()).toBeGreaterThanOrEqual(until.getTime());
  });

  test("is reckoned from when the run was lost: its call may have been held up since long before that", async () => {
    const id = await paying({ leaseSeconds: 3600 });
    await sql(
      `update holdfast.workers set until = now() + interval '1 hour'
        where worker = (select leased_by from holdfast.runs where run_id = $1)`,
      [id],
    );
    await sql(
      "update holdfast.runs set status = 'waiting', waiting_on = 'caller', leased_by = null where run_id = $1",
      [id],
    );
    // The intent is an hour old, as if its owner had been without its lock for so long, and called nothing.
    await sql("alter table holdfast.entries disable trigger entries_append_only");
    await sql(
      `update holdfast.entries e set at = e.at - interval '1 hour'
         from holdfast.runs r where r.run = e.run and run_id = $1`,
      [id],
    );
    await sql("alter table holdfast.entries enable trigger entries_append_only");
    const { calls, does } = counter();
    const holdfast = await open({ ...asking(does("asked", "notDone" as const)), leaseSeconds: 1 });
    expect(await holdfast.run(id, () => pay(does("pay", "paid")))).toBe("paid");
    expect(calls).toEqual(["asked", "asked", "pay"]);
  }, 15_000);

  test("is not waited for longer than a loop may stand still, where the owner's lease is renewed for ever", async () => {
    const id = await paying({ leaseSeconds: 3600 });
    await sql(
      `update holdfast.workers set until = now() + interval '1 hour'
        where worker = (select leased_by from holdfast.runs where run_id = $1)`,
      [id],
    );
    await sql(
      "update holdfast.runs set status = 'waiting', waiting_on = 'caller', leased_by = null where run_id = $1",
      [id],
    );
    const { calls, does } = counter();
    const holdfast = await open({ ...asking(does("asked", "notDone" as const)), leaseSeconds: 1 });
    expect(await holdfast.run(id, () => pay(does("pay", "paid")))).toBe("paid");
    expect(calls).toEqual(["asked", "asked", "pay"]);
    const entries = await holdfast.entries(id);
    const at = (kind: string) => entries.find((entry) => entry.kind === kind)?.at.getTime() ?? Number.NaN;
    expect(at("resolution") - at("intent")).toBeGreaterThanOrEqual(4000);
  }, 15_000);

  test("is not believed at once after an ordinary close, which may have left the call under way: it goes out once", async () => {
    const [id, one] = [newId(), await open()];
    const [underWay, asked] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const { calls, does } = counter();
    const left = one.run(id, () =>
      pay(async () => {
        underWay.resolve();
        await asked.promise;
        return does("pay", "paid, late")();
      }),
    );
    left.catch(() => {});
    await underWay.promise;
    await one.close({ graceSeconds: 0 });
    const reconcile: Reconcile = () => {
      if (calls.length > 0) return { done: "paid, late" };
      asked.resolve();
      return "notDone";
    };
    const two = await open({ ...asking(reconcile), leaseSeconds: 1 });
    expect(await two.run(id, () => pay(does("pay again", "paid twice")))).toBe("paid, late");
    expect(calls).toEqual(["pay"]);
  });

  test("is believed after an ordinary close once a lease's time is over", async () => {
    const id = await paying();
    await sql(
      "update holdfast.runs set leased_by = null, status = 'waiting', waiting_on = 'caller' where run_id = $1",
      [id],
    );
    await sql("delete from holdfast.workers");
    const { calls, does } = counter();
    const holdfast = await open({ ...asking(does("asked", "notDone" as const)), leaseSeconds: 1 });
    expect(await holdfast.run(id, () => pay(does("pay", "paid")))).toBe("paid");
    expect(calls).toEqual(["asked", "asked", "pay"]);
    const entries = await holdfast.entries(id);
    const at = (kind: string) => entries.findLast((entry) => entry.kind === kind)?.at.getTime() ?? Number.NaN;
    expect(at("resolution") - at("takeover")).toBeGreaterThanOrEqual(1000);
  });

  test("is not believed about a call that took too long before its worker's loop must have turned", async () => {
    const [id, { calls, does }] = [newId(), counter()];
    const reconcile: Reconcile = () => {
      does("asked")();
      return "notDone";
    };
    const holdfast = await open({ ...asking(reconcile, { timeoutMs: 20 }), leaseSeconds: 1 });
    const body = () => (calls.includes("asked") ? does("pay", "paid")() : forever());
    expect(await holdfast.run(id, () => pay(body))).toBe("paid");
    expect(calls.filter((call) => call === "pay")).toEqual(["pay"]);
    const entries = await holdfast.entries(id);
    const at = (kind: string) => entries.find((entry) => entry.kind === kind)?.at.getTime() ?? Number.NaN;
    expect(at("resolution") - at("intent")).toBeGreaterThanOrEqual(4000);
  }, 15_000);

  test("is waited for no longer once the run is closed down, and the call does not go out", async () => {
    const id = await paying();
    const asked = Promise.withResolvers<void>();
    const { calls, does } = counter();
    const reconcile: Reconcile = () => {
      asked.resolve();
      return "notDone";
    };
    const holdfast = await open(asking(reconcile, { timeoutMs: 3_600_000 }));
    const running = holdfast.run(id, () => pay(does("pay")));
    running.catch(() => {});
    await asked.promise;
    await holdfast.close({ graceSeconds: 0 });
    await expect(running).rejects.toThrow("(DATABASE_UNAVAILABLE)");
    expect(calls).toEqual([]);
  });
});

test.each<[string, Reconciled]>([
  ["that it was done", { done: "paid, says the tool" }],
  ["that it was not done", "notDone"],
  ["that it does not know", "unknown"],
])(
  "what a person says while the tool is asked counts, and not what the tool then says: %s",
  async (_, says) => {
    const id = await paying();
    const [asked, answer] = [Promise.withResolvers<void>(), Promise.withResolvers<Reconciled>()];
    const reconcile = () => {
      asked.resolve();
      return answer.promise;
    };
    const holdfast = await open(asking(reconcile));
    const { calls, does } = counter();
    const running = outcomeOf(holdfast.run(id, () => pay(does("pay"))));
    await asked.promise;
    await holdfast.doubts.resolve(id, "pay#0", { happened: "paid, says ana" }, ana);
    answer.resolve(says);
    await running;
    expect(await outcomeOf(holdfast.run(id, () => pay(does("pay"))))).toBe("paid, says ana");
    expect(await running).toBe("paid, says ana");
    expect(calls).toEqual([]);
  },
);

test("a run that is cancelled just before it doubts a call ends, the call being doubted once, and asks no more", async () => {
  const id = await paying();
  const other = await open();
  let sent = 0;
  let isCancelled = false;
  const holdfast = await openTapped(
    async (text, send) => {
      sent++;
      if (text.includes("seq = $2") && !isCancelled) {
        isCancelled = true;
        await other.cancel(id, ana);
      }
      return await send();
    },
    asking(() => "unknown"),
  );
  expect(await outcomeOf(holdfast.run(id, () => pay(() => "paid")))).toBe("CANCELLED");
  const ended = sent;
  for (let i = 0; i < 50; i++) await sql("select");
  expect(sent - ended).toBeLessThan(25);
  expect(await told(other, id)).toEqual(["intent pay#0", "command", "doubt pay#0", "outcome"]);
});

/** The lease of the run's first owner ends this moment; `holdfast` has had the time to begin its own. */
async function leaseEndsNow(holdfast: Holdfast, id: string): Promise<void> {
  await holdfast.run(newId(), () => 1);
  await sql(
    `update holdfast.workers
        set until = now()
      where worker = (select (e.body::json ->> 'number')::int
                        from holdfast.entries e
                        join holdfast.runs r using (run)
                       where r.run_id = $1
                         and e.kind = 'takeover'
                       order by e.seq
                       limit 1)`,
    [id],
  );
}

async function untilOf(id: string): Promise<Date> {
  const rows = await sql<{ until: Date }>(
    `select w.until
       from holdfast.entries e
       join holdfast.runs r using (run)
       join holdfast.workers w on w.worker = (e.body::json ->> 'number')::int
      where r.run_id = $1
        and e.kind = 'takeover'
      order by e.seq
      limit 1`,
    [id],
  );
  return rows[0]?.until ?? new Date(Number.NaN);
}
