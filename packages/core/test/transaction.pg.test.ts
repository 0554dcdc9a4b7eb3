import pg from "pg";
import { beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { type Holdfast, randomUUID, step, tx } from "../src/index.ts";
import { openWireProxy } from "../src/testing/index.ts";
import { outcomeOf, port, told, tool, within } from "./agent.ts";
import { child, ended } from "./child.ts";
import { counter, forever, useHoldfast } from "./opened.ts";
import { eventually, newId } from "./store.ts";

const opened = useHoldfast();
const { open, sql, session, stall, interruptRun, leaveRun } = opened;

beforeAll(async () => {
  await sql("create table booking (run text not null, what text not null)");
  await sql(
    "create table seat (run text, n int, constraint one_seat unique (run, n) deferrable initially deferred)",
  );
});

const book = (what = "room") =>
  tx().query("insert into booking (run, what) values ($1, $2)", [port().runId, what]);

const booked = async (id: string): Promise<string[]> =>
  (await sql<{ what: string }>("select what from booking where run = $1 order by what", [id])).map(
    ({ what }) => what,
  );

const pidHere = async (): Promise<number> =>
  (await tx().query<{ pid: number }>("select pg_backend_pid() as pid")).rows[0]?.pid ?? 0;

const effect = "transaction";
type Booking = (body: () => unknown, limits?: object) => Promise<unknown>;

describe.each<[string, Booking]>([
  ["a tool", (body, limits) => tool("book", {}, body, { effect, ...limits })],
  ["a step", (body, limits) => step("book", body, { effect, ...limits })],
])("what %s writes in its transaction", (_, booking) => {
  test("is committed with the record of its outcome", async () => {
    const [id, holdfast] = [newId(), await open()];
    expect(await holdfast.run(id, () => booking(() => book().then(() => "booked")))).toBe("booked");
    expect(await booked(id)).toEqual(["room"]);
    expect(await told(holdfast, id)).toEqual(["intent book#0", "observation book#0", "outcome"]);
    const [[row], [entry]] = await Promise.all([
      sql("select xmin::text from booking where run = $1", [id]),
      sql(
        `select e.xmin::text
           from holdfast.entries e
           join holdfast.runs r using (run)
          where run_id = $1
            and kind = 'observation'`,
        [id],
      ),
    ]);
    expect(row).toEqual(entry);
  });

  test("is not there before that", async () => {
    const [id, holdfast] = [newId(), await open()];
    const seen: unknown[] = [];
    await holdfast.run(id, async () => {
      await booking(async () => {
        await book();
        seen.push(await booked(id), await told(holdfast, id));
      });
      seen.push(await booked(id));
    });
    expect(seen).toEqual([[], ["intent book#0"], ["room"]]);
  });

  test("is not written again by the next execution", async () => {
    const work = () => booking(() => book().then(() => "booked"));
    const id = await interruptRun(async (interrupt) => {
      await work();
      await interrupt();
    });
    expect(await (await open()).run(id, work)).toBe("booked");
    expect(await booked(id)).toEqual(["room"]);
  });

  test.each<[string, () => unknown, string]>([
    ["throws", () => Promise.reject(new Error("no room")), "no room"],
    ["returns what cannot be kept", () => () => 1, "NOT_SERIALIZABLE"],
    ["asks the database something wrong", () => tx().query("select 1 / 0"), "22012"],
  ])("is taken back where it %s, and that is its outcome, now and ever after", async (_, end, expected) => {
    const { calls, does } = counter();
    const work = () =>
      outcomeOf(
        booking(async () => {
          does("book")();
          await book();
          return await end();
        }),
      );
    const id = await interruptRun(async (interrupt) => {
      expect(await work()).toBe(expected);
      await interrupt();
    });
    const holdfast = await open();
    expect(await holdfast.run(id, work)).toBe(expected);
    expect(calls).toEqual(["book"]);
    expect(await booked(id)).toEqual([]);
    expect((await holdfast.entries(id)).find(({ kind }) => kind === "observation")).toMatchObject({
      ok: false,
    });
  });

  test("is taken back where it takes too long, which is its outcome and no doubt", async () => {
    const [id, holdfast] = [newId(), await open()];
    const body = async () => {
      await book();
      return await forever();
    };
    expect(await holdfast.run(id, () => outcomeOf(booking(body, { timeoutMs: 100 })))).toBe("TIMED_OUT");
    expect(await booked(id)).toEqual([]);
    expect(await told(holdfast, id)).toEqual(["intent book#0", "observation book#0", "outcome"]);
  });

  test("is written by nobody once its time is over, though the tool goes on", async () => {
    const [id, holdfast] = [newId(), await open()];
    const late = Promise.withResolvers<unknown>();
    const body = async () => {
      const client = tx();
      await client.query("select pg_sleep(0.2)");
      const insert = "insert into booking (run, what) values ($1, 'late')";
      late.resolve(await outcomeOf(client.query(insert, [id])));
    };
    const work = async () => {
      const outcome = await outcomeOf(booking(body, { timeoutMs: 50 }));
      await late.promise;
      return outcome;
    };
    expect(await holdfast.run(id, work)).toBe("TIMED_OUT");
    expect(await booked(id)).toEqual([]);
  });

  test("is written by nobody once its run was closed down, though the tool goes on", async () => {
    const pool = new pg.Pool({ connectionString: opened.url, max: 3 });
    onTestFinished(() => pool.end());
    const [id, holdfast] = [newId(), await open({ database: pool })];
    const [underWay, goOn] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const late = Promise.withResolvers<unknown>();
    const running = holdfast.run(id, () =>
      booking(async () => {
        const client = tx();
        await book();
        underWay.resolve();
        await goOn.promise;
        const insert = "insert into booking (run, what) values ($1, 'late')";
        late.resolve(await outcomeOf(client.query(insert, [id])));
      }),
    );
    running.catch(() => {});
    await underWay.promise;
    await holdfast.close({ graceSeconds: 0 });
    goOn.resolve();
    await late.promise;
    expect(await booked(id)).toEqual([]);
  });
});

const booking: Booking = (body, limits) => tool("book", {}, body, { effect, ...limits });

describe("a transaction whose tool has dealt with an error of the database itself", () => {
  test("has failed, which is its outcome: the run goes on", async () => {
    const [id, holdfast] = [newId(), await open()];
    const body = async () => {
      await book();
      await tx()
        .query("select 1 / 0")
        .catch(() => {});
      return "booked";
    };
    const work = async () => [await outcomeOf(booking(body)), await step("next", () => 1)];
    expect(await outcomeOf(holdfast.run(id, work))).toEqual(["25P02", 1]);
    expect(await booked(id)).toEqual([]);
    expect(await told(holdfast, id)).toContain("observation book#0");
  });

  test("is committed where it went back to a savepoint", async () => {
    const [id, holdfast] = [newId(), await open()];
    const body = async () => {
      await book();
      await tx().query("savepoint here");
      await tx()
        .query("select 1 / 0")
        .catch(() => {});
      await tx().query("rollback to here");
      return "booked";
    };
    expect(await holdfast.run(id, () => booking(body))).toBe("booked");
    expect(await booked(id)).toEqual(["room"]);
  });
});

test("a transaction that its commit refuses has failed, which is its outcome: the run goes on", async () => {
  const [id, holdfast] = [newId(), await open()];
  const take = (n: number) => tx().query("insert into seat (run, n) values ($1, $2)", [id, n]);
  const body = async () => {
    await take(1);
    await take(1);
    return "taken";
  };
  const work = async () => [await outcomeOf(booking(body)), await step("next", () => 1)];
  expect(await outcomeOf(holdfast.run(id, work))).toEqual(["23505", 1]);
  expect(await sql("select n from seat where run = $1", [id])).toEqual([]);
});

test("a transaction that failed is tried again where that was asked for, each time in a new one", async () => {
  const [id, holdfast] = [newId(), await open()];
  const { calls, does } = counter();
  const body = async () => {
    does("book")();
    await book(`try ${calls.length}`);
    if (calls.length < 3) throw new Error("no");
    return "booked";
  };
  const retry = { attempts: 3, firstMs: 1 };
  expect(await holdfast.run(id, () => outcomeOf(booking(body, { retry })))).toBe("booked");
  expect(await booked(id)).toEqual(["try 3"]);
});

describe("a transaction whose connection is killed before the commit", () => {
  /** Kills the connection of the transaction; what its tool then does is up to `then`. */
  const killed = async (id: string, holdfast: Holdfast, then: () => unknown) => {
    const { calls, does } = counter();
    const work = () =>
      booking(async () => {
        does("book")();
        await book();
        if (calls.length > 1) return "booked";
        const pid = await pidHere();
        const client = tx();
        const gone = new Promise((resolve) => client.once("error", resolve));
        await sql("select pg_terminate_backend($1)", [pid]);
        await gone;
        return await then();
      });
    return { calls, work, first: await outcomeOf(holdfast.run(id, work)) };
  };

  test("leaves neither its rows nor a record, and the next owner does it again, once", async () => {
    const [id, holdfast] = [newId(), await open()];
    const { calls, work } = await killed(id, holdfast, () => "booked");
    expect(await booked(id)).toEqual([]);
    expect(await told(holdfast, id)).not.toContain("observation book#0");
    expect(await holdfast.run(id, work)).toBe("booked");
    expect(await (await open()).run(id, work)).toBe("booked");
    expect(calls).toEqual(["book", "book"]);
    expect(await booked(id)).toEqual(["room"]);
  });

  test("says that the database was away, and not that the work failed", async () => {
    const [id, holdfast] = [newId(), await open()];
    const { first } = await killed(id, holdfast, () => "booked");
    expect(first).toBe("DATABASE_UNAVAILABLE");
    expect((await holdfast.runs.get(id)).status).not.toBe("failed");
  });

  test("gives its lease back: another process may go on at once", async () => {
    const [id, holdfast] = [newId(), await open()];
    await killed(id, holdfast, () => "booked");
    expect(await holdfast.runs.get(id)).toMatchObject({ status: "waiting", waitingOn: "caller" });
  });

  test("does not record what its tool stumbled over then: that is no outcome of the tool", async () => {
    const [id, holdfast] = [newId(), await open()];
    const { calls, work } = await killed(id, holdfast, () => book("more"));
    expect(await told(holdfast, id)).not.toContain("observation book#0");
    expect(await outcomeOf(holdfast.run(id, work))).toBe("booked");
    expect(calls).toEqual(["book", "book"]);
  });
});

test("a process whose idle transaction is killed by the server lives on", async () => {
  const { code, complaint } = await ended(child("transaction-killed.ts", opened.url));
  expect(complaint).toBe("");
  expect(code).toBe(0);
}, 20_000);

test("a transaction in which nothing is said is ended by the server, a minute after the tool's own time limit", async () => {
  const [id, holdfast] = [newId(), await open()];
  let shown: unknown;
  const body = async () => {
    shown = (await tx().query("show idle_in_transaction_session_timeout")).rows[0];
  };
  await holdfast.run(id, () => booking(body, { timeoutMs: 12_000 }));
  expect(shown).toEqual({ idle_in_transaction_session_timeout: "72s" });
  const after = (await sql("show idle_in_transaction_session_timeout"))[0];
  expect(after).toEqual({ idle_in_transaction_session_timeout: "0" });
});

test("a run that died in a transaction is not in doubt: it is done again", async () => {
  const id = await leaveRun((underWay) =>
    booking(async () => {
      await book("lost");
      underWay();
      return await forever();
    }),
  );
  expect(await (await open()).run(id, () => booking(() => book("kept").then(() => "booked")))).toBe("booked");
  expect(await booked(id)).toEqual(["kept"]);
});

test("a writer that was taken over takes back what it wrote in its transaction", async () => {
  const [id, one, other] = [newId(), await open(), await open()];
  const [underWay, goOn] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const zombie = one.run(id, () =>
    booking(async () => {
      await book("by the old owner");
      underWay.resolve();
      await goOn.promise;
      return "old";
    }),
  );
  zombie.catch(() => {});
  await underWay.promise;
  await stall(id);
  expect(await other.run(id, () => booking(() => book("by the new owner").then(() => "new")))).toBe("new");
  goOn.resolve();
  await expect(zombie).rejects.toThrow("(FENCED)");
  expect(await booked(id)).toEqual(["by the new owner"]);
  expect((await told(other, id)).filter((line) => line === "observation book#0")).toHaveLength(1);
});

describe("a commit whose answer is lost", () => {
  const losing = async () => {
    const proxy = await openWireProxy(opened.url);
    onTestFinished(() => proxy.close());
    return { proxy, holdfast: await open({ database: proxy.url }) };
  };
  const isCommit = (bytes: string) => /^Q....commit\0/s.test(bytes);

  test("is recognised: the run goes on, and nothing was done twice", async () => {
    const { proxy, holdfast } = await losing();
    const id = newId();
    const { calls, does } = counter();
    const body = async () => {
      does("book")();
      await book();
      void proxy.loseAnswer(isCommit).then(does("lost"));
      return "booked";
    };
    const work = async () => [await booking(body), await step("next", does("next", 1))];
    expect(await holdfast.run(id, work)).toEqual(["booked", 1]);
    expect(calls).toEqual(["book", "lost", "next"]);
    expect(await booked(id)).toEqual(["room"]);
    expect((await told(await open(), id)).filter((line) => line === "observation book#0")).toHaveLength(1);
  });

  test("after its run was taken over is recognised by the new owner", async () => {
    const { proxy, holdfast } = await losing();
    const [id, other] = [newId(), await open()];
    const body = async () => {
      await book();
      void proxy.loseAnswer(isCommit).then(() => proxy.sever());
      return "booked";
    };
    const running = holdfast.run(id, () => booking(body));
    running.catch(() => {});
    await eventually(async () => (await booked(id)).length > 0);
    await stall(id);
    expect(await other.run(id, () => booking(() => book("again")))).toBe("booked");
    expect(await booked(id)).toEqual(["room"]);
    proxy.mend();
    await holdfast.close({ graceSeconds: 0 });
    await running.catch(() => {});
  }, 20_000);
});

describe("a Holdfast is closed", () => {
  const closing = async (holdfast: Holdfast) =>
    await within(
      4000,
      holdfast.close({ graceSeconds: 0 }).then(() => "closed"),
    );

  test("though a transaction is under way, whose rows are taken back", async () => {
    const [id, holdfast] = [newId(), await open()];
    const underWay = Promise.withResolvers<void>();
    const running = holdfast.run(id, () =>
      booking(async () => {
        await book();
        underWay.resolve();
        return await forever();
      }),
    );
    running.catch(() => {});
    await underWay.promise;
    expect(await closing(holdfast)).toBe("closed");
    await expect(running).rejects.toThrow("(DATABASE_UNAVAILABLE)");
    expect(await booked(id)).toEqual([]);
  });

  test("though the database is busy with a statement of a transaction", async () => {
    const [id, holdfast] = [newId(), await open()];
    const holder = await session();
    await holder.query("begin");
    await holder.query("lock table seat in access exclusive mode");
    const underWay = Promise.withResolvers<void>();
    const running = holdfast.run(id, () =>
      booking(async () => {
        await book();
        underWay.resolve();
        await tx().query("insert into seat (run, n) values ($1, 1)", [id]);
      }),
    );
    running.catch(() => {});
    await underWay.promise;
    await eventually(async () => {
      const rows = await sql(
        "select from pg_stat_activity where wait_event_type = 'Lock' and query like '%seat%'",
      );
      return rows.length > 0;
    });
    const closed = await closing(holdfast);
    await holder.query("rollback");
    expect(closed).toBe("closed");
  }, 15_000);

  test("though more transactions are to begin than it has connections, and none of those begins", async () => {
    const holdfast = await open();
    const { calls, does } = counter();
    const full = Promise.withResolvers<void>();
    const end = new AbortController();
    const body = () => {
      does("book")();
      if (calls.length === 9) full.resolve();
      return new Promise((resolve) => end.signal.addEventListener("abort", resolve));
    };
    const running = holdfast.run(newId(), () =>
      Promise.all(Array.from({ length: 12 }, (_, i) => tool("book", i, body, { effect }))),
    );
    running.catch(() => {});
    await full.promise;
    const closed = await closing(holdfast);
    const begun = calls.length;
    end.abort();
    expect(closed).toBe("closed");
    expect(begun).toBeLessThanOrEqual(10);
  }, 15_000);
});

describe("a transaction", () => {
  test("has what its tool calls recorded too, whatever becomes of it", async () => {
    const { calls, does } = counter();
    const work = () =>
      outcomeOf(
        booking(async () => {
          await book();
          await step("mail", does("mail", "sent"));
          throw new Error("no room");
        }),
      );
    const id = await interruptRun(async (interrupt) => {
      expect(await work()).toBe("no room");
      await interrupt();
    });
    const holdfast = await open();
    expect(await told(holdfast, id)).toEqual([
      "intent book#0",
      "intent book#0/mail#0",
      "observation book#0/mail#0",
      "observation book#0",
      "note parked",
    ]);
    expect(await holdfast.run(id, work)).toBe("no room");
    expect(calls).toEqual(["mail"]);
  });

  test("is recorded after what was said before it was over", async () => {
    const [id, holdfast] = [newId(), await open()];
    await holdfast.run(id, () => booking(() => book().then(() => randomUUID())));
    expect(await told(holdfast, id)).toEqual([
      "intent book#0",
      "observation book#0/randomUUID#0",
      "observation book#0",
      "outcome",
    ]);
  });

  test("that is done again does not do again what its tool had called and heard of", async () => {
    const { calls, does } = counter();
    const work = (end: () => unknown) => () =>
      booking(async () => {
        await book();
        await step("mail", does("mail", "sent"));
        return await end();
      });
    const id = await leaveRun((underWay) =>
      work(() => {
        underWay();
        return forever();
      })(),
    );
    expect(
      await (await open()).run(
        id,
        work(() => "booked"),
      ),
    ).toBe("booked");
    expect(calls).toEqual(["mail"]);
    expect(await booked(id)).toEqual(["room"]);
  });

  test("is its tool's, not that of the steps in it", async () => {
    const asking = () =>
      booking(() =>
        step("mail", () => tx()).then(
          () => "has it",
          (error) => error.code,
        ),
      );
    expect(await (await open()).run(newId(), asking)).toBe("INVALID_ARGUMENT");
  });

  test("is there in the lanes of its tool", async () => {
    const [id, holdfast] = [newId(), await open()];
    await holdfast.run(id, () => booking(() => port().lane("inner", () => book().then(() => 1))));
    expect(await booked(id)).toEqual(["room"]);
  });

  test.each<[string, () => unknown]>([
    ["outside a run", tx],
    ["in a run, outside a tool", async () => (await open()).run(newId(), () => tx())],
    ["in a step that is once", async () => (await open()).run(newId(), () => step("a", () => tx()))],
    [
      "in a tool that is idempotent",
      async () => (await open()).run(newId(), () => tool("a", {}, () => tx(), { effect: "idempotent" })),
    ],
  ])("is not there %s", async (_, ask) => {
    const asking = async () => await ask();
    await expect(asking()).rejects.toThrow("(INVALID_ARGUMENT)");
  });

  test("goes through though as many are open as there are connections, and each calls a step", async () => {
    const pool = new pg.Pool({ connectionString: opened.url, max: 3 });
    onTestFinished(() => void pool.end());
    const [id, holdfast] = [newId(), await open({ database: pool })];
    const all = [1, 2, 3, 4];
    const running = holdfast.run(id, () =>
      Promise.all(
        all.map((n) =>
          tool(
            "book",
            n,
            async () => {
              await book(`room ${n}`);
              await step("mail", () => n);
              return n;
            },
            { effect },
          ),
        ),
      ),
    );
    running.catch(() => {});
    expect(await within(4000, running)).toEqual(all);
  }, 15_000);

  test("of one run beside one of another is committed by itself", async () => {
    const holdfast = await open();
    const ids = [newId(), newId(), newId()];
    await Promise.all(ids.map((id) => holdfast.run(id, () => booking(() => book(id).then(() => 1)))));
    expect(await Promise.all(ids.map(booked))).toEqual(ids.map((id) => [id]));
  });

  test("beside others of its run is committed, and so is what is said meanwhile", async () => {
    const [id, holdfast] = [newId(), await open()];
    const all = [1, 2, 3, 4, 5];
    const work = () =>
      Promise.all(
        all.flatMap((n) => [
          tool("book", n, () => book(`${n}`).then(() => n), { effect }),
          step("look", () => n, { input: n, effect: "read" }),
        ]),
      );
    expect(await holdfast.run(id, work)).toEqual(all.flatMap((n) => [n, n]));
    expect(await booked(id)).toEqual(all.map(String));
  });
});
