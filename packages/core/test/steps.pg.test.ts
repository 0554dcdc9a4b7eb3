import { describe, expect, test } from "vitest";
import { current, once, type Port, step } from "../src/index.ts";
import { must } from "../src/must.ts";
import { counter, forever, useHoldfast } from "./opened.ts";
import { newId } from "./store.ts";

const { open, interruptRun, leaveRun, session } = useHoldfast();

const port = (): Port => must(current(), "a run");

/** Asks a model, whose answer may ask for calls of tools. */
const ask = (prompt: string, answer: () => unknown = () => `answer to ${prompt}`) =>
  port().step(
    {
      kind: "model",
      name: "acme/m",
      input: { prompt, temperature: 0 },
      emits: (value) => (value as { calls?: [] }).calls ?? [],
    },
    answer,
  );

/** A tool call as an adapter announces it. */
const tool = (name: string, id: string | undefined, input: unknown, work: () => unknown) =>
  port().step({ kind: "tool", name, id, input }, work);

describe("steps of one name side by side", () => {
  const inputs = ["a", "b", "c", "d"];
  const look = (input: string, work: () => unknown) => step("look", work, { input });

  test.each<[string, string[]]>([
    ["the same order", inputs],
    ["the reverse order", [...inputs].reverse()],
    ["some other order", ["c", "a", "d", "b"]],
  ])("get their own results, though they begin again in %s", async (_, order) => {
    const turns = new Map(inputs.map((input) => [input, Promise.withResolvers<void>()]));
    const id = await interruptRun(async (interrupt) => {
      const looking = inputs.map((input) =>
        look(input, () => turns.get(input)?.promise.then(() => `saw ${input}`)),
      );
      for (const input of ["d", "b", "a", "c"]) turns.get(input)?.resolve();
      await Promise.all(looking);
      await interrupt();
    });
    const { calls, does } = counter();
    const seen = (await open()).run(id, () => Promise.all(order.map((input) => look(input, does("again")))));
    expect(await seen).toEqual(order.map((input) => `saw ${input}`));
    expect(calls).toEqual([]);
  });

  test("of which some were not there before take none of the results on record", async () => {
    const id = await interruptRun(async (interrupt) => {
      await Promise.all([look("a", () => "saw a"), look("b", () => "saw b")]);
      await interrupt();
    });
    const { calls, does } = counter();
    const work = () =>
      Promise.all(["b", "x", "a"].map((input) => look(input, does(input, `saw ${input} now`))));
    await expect((await open()).run(id, work)).rejects.toThrow("(DIVERGED)");
    expect(calls).toEqual([]);
  });

  test("of which one has the input of another are each called once", async () => {
    const holdfast = await open();
    const { calls, does } = counter();
    await holdfast.run(newId(), () => Promise.all([look("a", does("one")), look("a", does("other"))]));
    expect(calls.sort()).toEqual(["one", "other"]);
  });
});

describe("lanes of one name side by side", () => {
  const agent = (question: string, work: () => unknown) =>
    port().lane("agent", async () => [await ask(question), await step("look", work)]);

  test("are told apart by what they ask first", async () => {
    const id = await interruptRun(async (interrupt) => {
      await Promise.all([agent("a", () => "saw a"), agent("b", () => "saw b")]);
      await interrupt();
    });
    const { calls, does } = counter();
    const work = () => Promise.all([agent("b", does("again")), agent("a", does("again"))]);
    expect(await (await open()).run(id, work)).toEqual([
      ["answer to b", "saw b"],
      ["answer to a", "saw a"],
    ]);
    expect(calls).toEqual([]);
  });

  test("that ask what none on record asked are not guessed at", async () => {
    const id = await interruptRun(async (interrupt) => {
      await Promise.all([agent("a", () => 1), agent("b", () => 1)]);
      await interrupt();
    });
    const { calls, does } = counter();
    const work = () => Promise.all([agent("x", does("x")), agent("y", does("y"))]);
    await expect((await open()).run(id, work)).rejects.toThrow("(DIVERGED)");
    expect(calls).toEqual([]);
  });
});

describe("a step whose input is not the one on record", () => {
  const again = (input: unknown, work: () => unknown) => step("look", work, { input });
  const recorded = () =>
    interruptRun(async (interrupt) => {
      await again(1, () => "saw 1");
      await interrupt();
    });

  test("diverges, and is not called", async () => {
    const id = await recorded();
    const holdfast = await open();
    const { calls, does } = counter();
    await expect(holdfast.run(id, () => again(2, does("look")))).rejects.toMatchObject({
      code: "DIVERGED",
      details: { runId: id, step: "look#0" },
    });
    expect(calls).toEqual([]);
  });

  test("stops the run, whatever the code around it makes of that", async () => {
    const id = await recorded();
    const { calls, does } = counter();
    const work = async () => {
      const swallowed = again(2, does("look")).catch(() => {});
      await Promise.race([swallowed, new Promise(setImmediate)]);
      return "fine";
    };
    await expect((await open()).run(id, work)).rejects.toThrow("(DIVERGED)");
    expect(calls).toEqual([]);
  });

  test("does not end the run: with the code as it was, it goes on", async () => {
    const id = await recorded();
    const holdfast = await open();
    await holdfast.run(id, () => again(2, () => 1)).catch(() => {});
    expect(await holdfast.runs.get(id)).toMatchObject({ status: "waiting", waitingOn: "caller" });
    expect(await holdfast.run(id, () => again(1, () => "saw 2"))).toBe("saw 1");
  });
});

describe("an effect", () => {
  test("does not go out beside one of its name that nobody has come back to", async () => {
    const id = await leaveRun(async (underWay) => {
      await ask("what to do", () => ({ calls: [{ id: "call_1", name: "wire", input: '{"to":"ben"}' }] }));
      await tool("wire", "call_1", { to: "ben" }, () => {
        underWay();
        return forever();
      });
    });
    const { calls, does } = counter();
    const work = () => tool("wire", undefined, { to: "ben" }, does("wire"));
    await expect((await open()).run(id, work)).rejects.toThrow("(DIVERGED)");
    expect(calls).toEqual([]);
  });

  test("that was declared safe to repeat is repeated after a crash", async () => {
    const options = { tools: { "look_*": { effect: "read" } } } as const;
    const work = (body: () => unknown) => () => tool("look_up", undefined, {}, body);
    const id = await leaveRun(
      (underWay) =>
        work(() => {
          underWay();
          return forever();
        })(),
      options,
    );
    expect(
      await (await open(options)).run(
        id,
        work(() => "found"),
      ),
    ).toBe("found");
  });

  test("that was safe to repeat when it went out, and is no longer said to be, is not repeated", async () => {
    const work = (body: () => unknown) => () => tool("look_up", undefined, {}, body);
    const id = await leaveRun(
      (underWay) =>
        work(() => {
          underWay();
          return forever();
        })(),
      { tools: { look_up: { effect: "read" } } },
    );
    const { calls, does } = counter();
    await expect((await open()).run(id, work(does("look_up")))).rejects.toThrow("(RUN_WAITING)");
    expect(calls).toEqual([]);
  });

  test.each(["once", "idempotent"] as const)(
    "that is %s does not go out before its intent is on record",
    async (effect) => {
      const [id, holdfast] = [newId(), await open()];
      const [underWay, goOn] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
      const { calls, does } = counter();
      const running = holdfast.run(id, async () => {
        underWay.resolve();
        await goOn.promise;
        return await step("wire", does("wire", "sent"), { effect });
      });
      await underWay.promise;
      const holder = await session();
      await holder.query("begin");
      await holder.query("select from holdfast.runs where run_id = $1 for update", [id]);
      goOn.resolve();
      await holdfast.run(newId(), () => once("wire", () => "sent by another run, meanwhile"));
      const before = [...calls];
      await holder.query("commit");
      expect(before).toEqual([]);
      expect(await running).toBe("sent");
      expect((await holdfast.entries(id)).slice(2, 4)).toMatchObject([
        { kind: "intent", step: "wire#0", effect },
        { kind: "observation", step: "wire#0", ok: true },
      ]);
    },
  );
});

describe("a tool call", () => {
  test("is the one that its model call asked for, also where another turn uses its id again", async () => {
    const asks = (cents: number) => () => ({
      calls: [{ id: "c1", name: "pay", input: `{"cents":${cents}}` }],
    });
    const work = (pay: (cents: number) => () => unknown) => async () => {
      const paid = [];
      for (const cents of [1, 2]) {
        await ask(`turn ${cents}`, asks(cents));
        paid.push(await tool("pay", "c1", { cents }, pay(cents)));
      }
      return paid;
    };
    const id = await interruptRun(async (interrupt) => {
      await work((cents) => () => `paid ${cents}`)();
      await interrupt();
    });
    const { calls, does } = counter();
    const holdfast = await open();
    expect(
      await holdfast.run(
        id,
        work(() => does("again")),
      ),
    ).toEqual(["paid 1", "paid 2"]);
    expect(calls).toEqual([]);
    const intents = (await holdfast.entries(id)).filter(({ kind }) => kind === "intent");
    expect(intents).toMatchObject([{ step: "model#0/pay:c1" }, { step: "model#1/pay:c1" }]);
  });

  test("that is made twice at once is called once", async () => {
    const { calls, does } = counter();
    await (await open()).run(newId(), async () => {
      await ask("what to do", () => ({ calls: [{ id: "c1", name: "pay", input: "{}" }] }));
      return await Promise.all([
        tool("pay", "c1", {}, does("pay", 1)),
        tool("pay", "c1", {}, does("pay", 2)),
      ]);
    });
    expect(calls).toEqual(["pay"]);
  });

  test("has what it calls in a lane of its own", async () => {
    const [id, holdfast] = [newId(), await open()];
    await holdfast.run(id, async () => {
      await ask("what to do", () => ({ calls: [{ id: "c1", name: "pay", input: "{}" }] }));
      await tool("pay", "c1", {}, () => step("look", () => 1));
      await step("look", () => 2);
    });
    const intents = (await holdfast.entries(id)).filter(({ kind }) => kind === "intent");
    expect(intents).toMatchObject([
      { step: "model#0/pay:c1" },
      { step: "model#0/pay:c1/look#0" },
      { step: "look#0" },
    ]);
  });
});

describe("a model call", () => {
  const recorded = () =>
    interruptRun(async (interrupt) => {
      await ask("before");
      await interrupt();
    });

  test("that asks something else than is on record gets the record, and a note says what differs", async () => {
    const id = await recorded();
    const holdfast = await open();
    const { calls, does } = counter();
    expect(await holdfast.run(id, () => ask("after", does("model")))).toBe("answer to before");
    expect(calls).toEqual([]);
    const notes = (await holdfast.entries(id)).filter(
      (entry) => entry.kind === "note" && entry.note === "drift",
    );
    expect(notes).toMatchObject([{ step: "model#0", differs: ["prompt"] }]);
  });

  test("that asks something else than is on record is refused where that was asked for", async () => {
    const id = await recorded();
    const { calls, does } = counter();
    await expect(
      (await open({ drift: "fail" })).run(id, () => ask("after", does("model"))),
    ).rejects.toMatchObject({
      code: "DRIFTED",
      details: { runId: id, step: "model#0", differs: ["prompt"] },
    });
    expect(calls).toEqual([]);
  });

  test("that failed has no outcome: the next try takes its place", async () => {
    const [id, holdfast] = [newId(), await open()];
    await holdfast.run(id, async () => {
      await ask("a", () => Promise.reject(new Error("overloaded"))).catch(() => {});
      await ask("a");
    });
    expect((await holdfast.entries(id)).filter(({ kind }) => kind === "observation")).toMatchObject([
      { step: "model#0", ok: true },
    ]);
  });

  test("records the tokens that its answer reports", async () => {
    const [id, holdfast] = [newId(), await open()];
    const usage = { inputTokens: 12, outputTokens: 3 };
    await holdfast.run(id, () =>
      port().step({ kind: "model", name: "acme/m", input: {}, usage: () => usage }, () => "answer"),
    );
    expect((await holdfast.entries(id))[2]).toMatchObject({ kind: "observation", usage });
  });
});

describe("what a step throws", () => {
  test.each<[string, unknown]>([
    ["a text", "out of paper"],
    ["nothing", undefined],
    ["a record", { code: 7 }],
  ])("is thrown again by a replay where it is %s", async (_, thrown) => {
    const work = (body: () => unknown) => () =>
      step("print", body).then(
        () => "printed",
        (error: unknown) => ({ error }),
      );
    const id = await interruptRun(async (interrupt) => {
      expect(await work(() => Promise.reject(thrown))()).toEqual({ error: thrown });
      await interrupt();
    });
    const { calls, does } = counter();
    expect(await (await open()).run(id, work(does("print")))).toEqual({ error: thrown });
    expect(calls).toEqual([]);
  });

  test("is thrown again though it cannot be kept as it is", async () => {
    const work = (body: () => unknown) => () =>
      step("print", body).then(
        () => "printed",
        (error: unknown) => String(error),
      );
    const id = await interruptRun(async (interrupt) => {
      await work(() => Promise.reject(() => "no"))();
      await interrupt();
    });
    expect(
      await (await open()).run(
        id,
        work(() => 1),
      ),
    ).toContain("no");
  });
});

test("a result that cannot be kept is the call's outcome: it is refused now and ever after, and never called again", async () => {
  const { calls, does } = counter();
  const work = () =>
    step(
      "look",
      does("look", () => 1),
    ).then(
      () => "looked",
      (error: { code: string }) => error.code,
    );
  const id = await interruptRun(async (interrupt) => {
    expect(await work()).toBe("NOT_SERIALIZABLE");
    await interrupt();
  });
  expect(await (await open()).run(id, work)).toBe("NOT_SERIALIZABLE");
  expect(calls).toEqual(["look"]);
});

test("an input that cannot be kept is the caller's affair: nothing is called, and the run goes on", async () => {
  const { calls, does } = counter();
  const [id, holdfast] = [newId(), await open()];
  const value = await holdfast.run(id, async () => {
    const bad = await step("look", does("bad"), { input: { callback: () => 1 } }).catch(
      (error) => error.code,
    );
    return [bad, await step("look", does("good", 1), { input: {} })];
  });
  expect(value).toEqual(["NOT_SERIALIZABLE", 1]);
  expect(calls).toEqual(["good"]);
});

test("a call that begins once the run has ended is told so, and is not made", async () => {
  const { calls, does } = counter();
  const late = Promise.withResolvers<Port>();
  const [id, holdfast] = [newId(), await open()];
  await holdfast.run(id, () => late.resolve(port()));
  const calling = (await late.promise).step({ kind: "step", name: "look", input: 1 }, does("look"));
  await expect(calling).rejects.toThrow("(UNHELD_CALL)");
  expect(calls).toEqual([]);
});

test("a call whose own caller has lost its place is entered where it belongs", async () => {
  const [id, holdfast] = [newId(), await open()];
  await holdfast.run(id, async () => {
    const lane = await port().lane("agent", async () => {
      await ask("a");
      return port();
    });
    await lane.enter(() => step("look", () => 1));
  });
  const intents = (await holdfast.entries(id)).filter(({ kind }) => kind === "intent");
  expect(intents).toMatchObject([{ step: "agent.0/look#0" }]);
});
