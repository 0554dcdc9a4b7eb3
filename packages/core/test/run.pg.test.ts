import { describe, expect, onTestFinished, test } from "vitest";
import { expectSteps } from "../src/empty-run.ts";
import {
  current,
  type Effect,
  HoldfastError,
  idempotencyKey,
  now,
  once,
  randomUUID,
  signal,
  step,
} from "../src/index.ts";
import { idempotencyKeyOf } from "../src/ledger/key.ts";
import { counter, forever, useHoldfast } from "./opened.ts";
import { eventually, newId } from "./store.ts";

const { open, stall, leaveRun, sql } = useHoldfast();

describe("a run that has finished", () => {
  test("returns its recorded value to whoever runs it again, and does nothing", async () => {
    const id = newId();
    const { calls, does } = counter();
    expect(await (await open()).run(id, does("work", { at: new Date(0), n: 1n }))).toEqual({
      at: new Date(0),
      n: 1n,
    });
    expect(await (await open()).run(id, does("work"))).toEqual({ at: new Date(0), n: 1n });
    expect(calls).toEqual(["work"]);
  });

  test("returns undefined where it returned nothing", async () => {
    const [id, holdfast] = [newId(), await open()];
    await holdfast.run(id, () => {});
    expect(await holdfast.run(id, () => 1)).toBeUndefined();
  });

  test("gives its first caller what it will give the next: a copy of what is on record", async () => {
    const value = { list: [1] };
    const given = await (await open()).run(newId(), () => value);
    expect(given).toEqual(value);
    expect(given).not.toBe(value);
  });

  test.each<[string, object, object, string]>([
    ["another input", { input: { a: 1 } }, { input: { a: 2 } }, "input"],
    ["an input where it had none", {}, { input: 1 }, "input"],
    ["another agent", { agent: "one" }, { agent: "other" }, "agent"],
    ["an agent where it had none", {}, { agent: "one" }, "agent"],
  ])("is not run again with %s", async (_, options, others, differs) => {
    const [id, holdfast] = [newId(), await open()];
    await holdfast.run(id, () => 1, options);
    await expect(holdfast.run(id, () => 2, others)).rejects.toMatchObject({
      code: "RUN_EXISTS_DIFFERENT",
      details: { runId: id, differs },
    });
  });

  test.each<[string, object, object]>([
    ["the same input, its keys in another order", { input: { a: 1, b: 2 } }, { input: { b: 2, a: 1 } }],
    ["no input named", { input: 1, agent: "one" }, {}],
    ["another version", { version: "1" }, { version: "2" }],
  ])("is the same run with %s", async (_, options, others) => {
    const [id, holdfast] = [newId(), await open()];
    await holdfast.run(id, () => 1, options);
    expect(await holdfast.run(id, () => 2, others)).toBe(1);
  });
});

describe("the same id twice at once", () => {
  test("is one run and one value in one process", async () => {
    const [id, holdfast] = [newId(), await open()];
    const { calls, does } = counter();
    const values = await Promise.all([holdfast.run(id, does("work", 1)), holdfast.run(id, does("work", 2))]);
    expect(values).toEqual([1, 1]);
    expect(calls).toEqual(["work"]);
  });

  test("with another input is a mistake", async () => {
    const [id, holdfast] = [newId(), await open()];
    const settled = await Promise.allSettled([
      holdfast.run(id, () => 1, { input: 1 }),
      holdfast.run(id, () => 1, { input: 2 }),
    ]);
    expect(settled).toMatchObject([{ status: "fulfilled" }, { reason: { code: "RUN_EXISTS_DIFFERENT" } }]);
  });

  test("with another agent is a mistake", async () => {
    const [id, holdfast] = [newId(), await open()];
    const settled = await Promise.allSettled([
      holdfast.run(id, () => 1, { agent: "one" }),
      holdfast.run(id, () => 1, { agent: "other" }),
    ]);
    expect(settled).toMatchObject([{ status: "fulfilled" }, { reason: { code: "RUN_EXISTS_DIFFERENT" } }]);
  });

  test("inside itself is refused, also two levels up", async () => {
    const [id, holdfast] = [newId(), await open()];
    const inner = await holdfast.run(id, async () => {
      const directly = await holdfast.run(id, () => 1).catch((error) => error.code);
      const below = await holdfast.run(`${id}/child`, () =>
        holdfast.run(id, () => 1).catch((error) => error.code),
      );
      return [directly, below];
    });
    expect(inner).toEqual(["RUN_NESTED", "RUN_NESTED"]);
  });

  test("inside a step of itself is refused", async () => {
    const [id, holdfast] = [newId(), await open()];
    const inner = holdfast.run(id, () => step("nest", () => holdfast.run(id, () => 1)));
    await expect(inner).rejects.toThrow("(RUN_NESTED)");
  });
});

describe("a run inside a run", () => {
  test("is a child: it knows its parent, and has a ledger of its own", async () => {
    const [id, holdfast] = [newId(), await open()];
    await holdfast.run(id, () => holdfast.run(`${id}/child`, () => step("look", () => 1)));
    expect(await holdfast.runs.get(`${id}/child`)).toMatchObject({ parent: id, status: "succeeded" });
    expect((await holdfast.runs.get(id)).parent).toBeUndefined();
    expect(await kinds(holdfast, id)).toEqual(["start", "takeover", "outcome"]);
  });

  test("that parks parks its parent too", async () => {
    const id = await leaveRun(async (underWay) => {
      await once("wire", () => {
        underWay();
        return forever();
      });
    });
    const [parent, holdfast] = [newId(), await open()];
    const outer = holdfast.run(parent, () => holdfast.run(id, () => once("wire", () => 1)));
    await expect(outer).rejects.toThrow("(RUN_WAITING)");
    expect(await holdfast.runs.get(parent)).toMatchObject({ status: "waiting", waitingOn: "caller" });
  });
});

describe("a run whose work rejects", () => {
  test("has failed, and says with what", async () => {
    const [id, holdfast] = [newId(), await open()];
    const error = Object.assign(new TypeError("no"), { code: "E1" });
    await expect(holdfast.run(id, () => Promise.reject(error))).rejects.toBe(error);
    expect(await holdfast.runs.get(id)).toMatchObject({
      status: "failed",
      error: { name: "TypeError", message: "no", code: "E1" },
      finishedAt: expect.any(Date),
    });
  });

  test("tries again when it is run again, from what is on record", async () => {
    const [id, holdfast] = [newId(), await open()];
    const { calls, does } = counter();
    const first = holdfast.run(id, async () => {
      await once("charge", does("charge"));
      throw new Error("no");
    });
    await expect(first).rejects.toThrow("no");
    expect(await (await open()).run(id, () => once("charge", does("charge again", 2)).then(() => "ok"))).toBe(
      "ok",
    );
    expect(calls).toEqual(["charge"]);
    expect(await holdfast.runs.get(id)).toMatchObject({
      status: "succeeded",
      error: undefined,
      attempts: { crashes: 0, retries: 1, resumes: 0 },
    });
  });

  test("asks the model again for what came after its last effect, and never for what came before", async () => {
    const [id, holdfast] = [newId(), await open()];
    const { calls } = counter();
    const work = (fails: boolean) => async () => {
      await ask("first", calls);
      await once("charge", () => calls.push("charge"));
      await ask("second", calls);
      if (fails) throw new Error("no");
    };
    await holdfast.run(id, work(true)).catch(() => {});
    await holdfast.run(id, work(false));
    expect(calls).toEqual(["first", "charge", "second", "second"]);
  });

  test("that throws something which is no error says so in text", async () => {
    const [id, holdfast] = [newId(), await open()];
    await expect(holdfast.run(id, () => Promise.reject("out of paper"))).rejects.toBe("out of paper");
    expect((await holdfast.runs.get(id)).error).toBe("out of paper");
  });

  test("with something that cannot be kept has failed all the same", async () => {
    const [id, holdfast] = [newId(), await open()];
    await expect(holdfast.run(id, () => Promise.reject(() => 1))).rejects.toBeTypeOf("function");
    expect(await holdfast.runs.get(id)).toMatchObject({ status: "failed" });
  });
});

class Answer {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

describe("the end of a run", () => {
  const appendsOf = async (id: string) => {
    const [head] = await sql<{ appends: number }>("select appends from holdfast.runs where run_id = $1", [
      id,
    ]);
    return head?.appends;
  };

  test.each<[Effect, number]>([
    ["read", 2],
    ["idempotent", 2],
    ["once", 3],
  ])(
    "travels with what came of its last call, unless that may not be repeated: %s",
    async (effect, appends) => {
      const [id, holdfast] = [newId(), await open()];
      await holdfast.run(id, () => step("look", () => 1, { effect }));
      const kinds = (await holdfast.entries(id)).map(({ kind }) => kind);
      expect(kinds.slice(2)).toEqual(["intent", "observation", "outcome"]);
      expect(await appendsOf(id)).toBe(appends);
    },
  );

  test("is not written while a call is under way that nobody waits for", async () => {
    const [id, holdfast] = [newId(), await open()];
    const [answer, returns] = [Promise.withResolvers<number>(), Promise.withResolvers<void>()];
    const run = holdfast.run(id, async () => {
      void step("slow", () => answer.promise, { effect: "idempotent" });
      await step("quick", () => 1, { effect: "idempotent" });
      returns.resolve();
    });
    await returns.promise;
    await eventually(async () => (await holdfast.entries(id)).some(({ kind }) => kind === "observation"));
    expect((await holdfast.runs.get(id)).status).toBe("running");
    answer.resolve(2);
    await run;
    const observed = (await holdfast.entries(id)).filter(({ kind }) => kind === "observation");
    expect(observed).toHaveLength(2);
  });

  test("says of no run that nothing was recorded of it whose one call is on its way to the ledger", async () => {
    expectSteps("withDurability(Framework)");
    const warnings: Error[] = [];
    const listen = (warning: Error) => void warnings.push(warning);
    process.on("warning", listen);
    onTestFinished(() => void process.off("warning", listen));
    await (await open()).run(newId(), async () => {
      await current()?.step({ kind: "model", name: "m", input: 1 }, () => 1);
    });
    await new Promise((resolve) => setImmediate(resolve));
    expect(warnings).toEqual([]);
  });
});

describe("a value that is no data", () => {
  const work = (calls: string[]) => async () => {
    const text = await step("look", () => {
      calls.push("look");
      return "text";
    });
    return new Answer(text);
  };

  test("is rebuilt by running the work again over the ledger, nothing of it live", async () => {
    const id = newId();
    const { calls } = counter();
    expect(await (await open()).run(id, work(calls))).toBeInstanceOf(Answer);
    expect(await (await open()).run(id, work(calls))).toEqual(new Answer("text"));
    expect(calls).toEqual(["look"]);
  });

  test("is not rebuilt by work that then calls something new", async () => {
    const [id, holdfast] = [newId(), await open()];
    const { calls, does } = counter();
    await holdfast.run(id, work(calls));
    const again = holdfast.run(id, async () => {
      await step("look", does("look again"));
      return await once("charge", does("charge"));
    });
    await expect(again).rejects.toThrow("(DIVERGED)");
    expect(calls).toEqual(["look"]);
    expect(await holdfast.runs.get(id)).toMatchObject({ status: "succeeded" });
  });

  test("is not rebuilt by work that then asks for the time", async () => {
    const [id, holdfast] = [newId(), await open()];
    await holdfast.run(id, () => new Answer(""));
    await expect(holdfast.run(id, () => [now(), new Answer("")])).rejects.toThrow("(DIVERGED)");
  });
});

describe("inside a run", () => {
  test("the time and ids are the same in every execution", async () => {
    const told: unknown[][] = [];
    const work = (end: () => Promise<unknown>) => async () => {
      told.push([now(), randomUUID(), randomUUID(), now()]);
      await step("look", () => 1);
      await end();
    };
    const id = await leaveRun((underWay) =>
      work(() => {
        underWay();
        return forever();
      })(),
    );
    await (await open()).run(
      id,
      work(async () => {}),
    );
    expect(told).toHaveLength(2);
    expect(told[1]).toEqual(told[0]);
    expect(told[0]?.[1]).not.toBe(told[0]?.[2]);
    expect(told[0]?.[1]).toMatch(/^[\da-f]{8}-[\da-f]{4}-4[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/);
  });

  test("a step knows its idempotency key, which is in its intent and another for each step", async () => {
    const [id, holdfast] = [newId(), await open()];
    const keys = await holdfast.run(id, async () => [
      await step("a", () => idempotencyKey()),
      await step("a", () => idempotencyKey()),
    ]);
    expect(keys).toEqual([idempotencyKeyOf(id, "a#0"), idempotencyKeyOf(id, "a#1")]);
    const intents = (await holdfast.entries(id)).filter((entry) => entry.kind === "intent");
    expect(intents.map(({ key }) => key)).toEqual(keys);
  });

  test("a step that is dispatched again has the same key", async () => {
    const keys: string[] = [];
    const id = await leaveRun((underWay) =>
      step(
        "refund",
        () => {
          keys.push(idempotencyKey());
          underWay();
          return forever();
        },
        { effect: "idempotent" },
      ),
    );
    const again = () => step("refund", () => keys.push(idempotencyKey()), { effect: "idempotent" });
    await (await open()).run(id, again);
    expect(keys).toHaveLength(2);
    expect(keys[1]).toBe(keys[0]);
  });

  test("a key is asked for inside a step", async () => {
    const keyless = (await open()).run(newId(), async () => idempotencyKey());
    await expect(keyless).rejects.toThrow("(INVALID_ARGUMENT)");
  });

  test("the signal is aborted once the run is closed down, and not before", async () => {
    const holdfast = await open();
    const caught = Promise.withResolvers<AbortSignal>();
    const running = holdfast.run(newId(), () => {
      caught.resolve(signal());
      return forever();
    });
    running.catch(() => {});
    const inside = await caught.promise;
    expect(inside.aborted).toBe(false);
    const aborted = new Promise((resolve) => inside.addEventListener("abort", resolve));
    await holdfast.close();
    await aborted;
    await expect(running).rejects.toThrow("(DATABASE_UNAVAILABLE)");
  });

  test.each<[string, () => unknown]>([
    ["now()", now],
    ["randomUUID()", randomUUID],
    ["signal()", signal],
    ["idempotencyKey()", idempotencyKey],
  ])("%s is asked, and nowhere else", (_, ask) => {
    expect(ask).toThrow("(INVALID_ARGUMENT)");
  });

  test("a step needs a name", async () => {
    const nameless = (await open()).run(newId(), () => step("", () => 1));
    await expect(nameless).rejects.toThrow("(INVALID_ARGUMENT)");
  });
});

describe("outside a run", () => {
  test("a step just does its work", async () => {
    expect(await step("look", () => 7)).toBe(7);
    expect(current()).toBeUndefined();
  });

  test("a step is refused where that was asked for, for as long as its Holdfast is open", async () => {
    const holdfast = await open({ outsideRun: "refuse" });
    const { calls, does } = counter();
    await expect(step("look", does("look"))).rejects.toThrow("(UNHELD_CALL)");
    expect(calls).toEqual([]);
    await holdfast.close();
    expect(await step("look", does("look", 7))).toBe(7);
  });
});

test("close hands the lease back, and another Holdfast goes on at once", async () => {
  const id = newId();
  const { calls, does } = counter();
  const [one, other] = [await open(), await open()];
  const underWay = Promise.withResolvers<void>();
  const left = one.run(id, async () => {
    await once("charge", does("charge", 1));
    underWay.resolve();
    return await forever();
  });
  left.catch(() => {});
  await underWay.promise;
  await one.close();
  await expect(left).rejects.toThrow("(DATABASE_UNAVAILABLE)");
  expect(await other.runs.get(id)).toMatchObject({ status: "waiting", waitingOn: "caller" });
  expect(await other.run(id, () => once("charge", does("charge again")))).toBe(1);
  expect(await other.runs.get(id)).toMatchObject({ attempts: { crashes: 0, resumes: 1 } });
  expect(calls).toEqual(["charge"]);
});

test("close lets a call settle that is under way, and records it", async () => {
  const [id, holdfast] = [newId(), await open()];
  const [underWay, done] = [Promise.withResolvers<void>(), Promise.withResolvers<number>()];
  const running = holdfast.run(id, async () => {
    const value = await once("charge", () => {
      underWay.resolve();
      return done.promise;
    });
    await once("charge more", () => 2);
    return value;
  });
  running.catch(() => {});
  await underWay.promise;
  const closing = holdfast.close();
  done.resolve(42);
  await closing;
  expect(await told(await open(), id)).toEqual(["intent charge#0", "observation charge#0", "note"]);
});

test("what was closed takes nothing on any more, and closing it again is the same", async () => {
  const holdfast = await open();
  await Promise.all([holdfast.close(), holdfast.close()]);
  await expect(holdfast.run(newId(), () => 1)).rejects.toThrow("(DATABASE_UNAVAILABLE)");
});

test("a Holdfast is closed by `await using`", async () => {
  const outer = await open();
  {
    await using holdfast = outer;
    await holdfast.run(newId(), () => 1);
  }
  await expect(outer.run(newId(), () => 1)).rejects.toThrow("(DATABASE_UNAVAILABLE)");
});

test("a worker that was taken over is fenced: what it does after that is not recorded", async () => {
  const id = newId();
  const [one, other] = [await open(), await open()];
  const [underWay, goOn] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const { calls, does } = counter();
  const work = (paused: () => Promise<void>) => async () => {
    await step("look", () => 1, { effect: "read" });
    await paused();
    return await once("charge", does("charge", "charged"));
  };
  const zombie = one.run(
    id,
    work(async () => {
      underWay.resolve();
      await goOn.promise;
    }),
  );
  zombie.catch(() => {});
  await underWay.promise;
  await stall(id);
  expect(
    await other.run(
      id,
      work(async () => {}),
    ),
  ).toBe("charged");
  goOn.resolve();
  await expect(zombie).rejects.toThrow("(FENCED)");
  expect(calls).toEqual(["charge"]);
});

test("a run that its dead owner left is marked as waiting for its caller by whoever beats", async () => {
  const id = await leaveRun((underWay) => {
    underWay();
    return forever();
  });
  const witness = await open({ leaseSeconds: 1 });
  await witness.run(newId(), () => 1);
  await eventually(async () => (await witness.runs.get(id)).status === "waiting");
  expect(await witness.runs.get(id)).toMatchObject({ waitingOn: "caller", attempts: { crashes: 1 } });
  expect(await witness.run(id, () => "went on")).toBe("went on");
});

test("a run with as much to say at once as fits no single statement says it all", async () => {
  const [id, holdfast] = [newId(), await open()];
  await holdfast.run(id, async () => {
    for (let i = 0; i < 1500; i++) randomUUID();
    await step("look", () => 1);
  });
  expect(await kinds(holdfast, id)).toHaveLength(2 + 1500 + 2 + 1);
});

test("what a run stores it stores under its run's number", async () => {
  const [id, holdfast] = [newId(), await open()];
  await holdfast.run(id, () => step("look", () => 1), {
    input: { a: 1 },
    agent: "a",
    version: "7",
    tags: ["t"],
  });
  const rows = await sql(
    "select kind, step, value from holdfast.entries join holdfast.runs using (run) where run_id = $1 order by entries.seq",
    [id],
  );
  expect(rows).toEqual([
    { kind: "start", step: null, value: '{"a":1}' },
    { kind: "takeover", step: null, value: null },
    { kind: "intent", step: "look#0", value: expect.anything() },
    { kind: "observation", step: "look#0", value: "1" },
    { kind: "outcome", step: null, value: "1" },
  ]);
});

test("an input that cannot be kept is refused before anything is written", async () => {
  const [id, holdfast] = [newId(), await open()];
  const work = holdfast.run(id, () => 1, { input: { callback: () => 1 } });
  await expect(work).rejects.toThrow("(NOT_SERIALIZABLE)");
  await expect(holdfast.runs.get(id)).rejects.toThrow("(RUN_NOT_FOUND)");
});

test("our errors are told apart from others by their code", () => {
  const error = new HoldfastError("RUN_NOT_FOUND", { runId: "r" });
  expect(HoldfastError.is(error)).toBe(true);
  expect(HoldfastError.is(error, "FENCED")).toBe(false);
  expect(HoldfastError.is(new Error("(RUN_NOT_FOUND)"))).toBe(false);
});

async function ask(prompt: string, calls: string[]): Promise<unknown> {
  const port = current();
  return await port?.step({ kind: "model", name: "acme/m", input: { prompt } }, () => {
    calls.push(prompt);
    return `answer to ${prompt}`;
  });
}

async function kinds(holdfast: Awaited<ReturnType<typeof open>>, id: string): Promise<string[]> {
  return (await holdfast.entries(id)).map(({ kind }) => kind);
}

async function told(holdfast: Awaited<ReturnType<typeof open>>, id: string): Promise<string[]> {
  const entries = (await holdfast.entries(id)).slice(2);
  return entries.map((entry) => ("step" in entry ? `${entry.kind} ${entry.step}` : entry.kind));
}
