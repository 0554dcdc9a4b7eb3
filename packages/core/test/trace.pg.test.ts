import { describe, expect, test } from "vitest";
import { current, departureText, HoldfastError, now, randomUUID, step } from "../src/index.ts";
import { must } from "../src/must.ts";
import { withoutSockets } from "../src/testing/index.ts";
import { outcomeOf, plans, port, tool } from "./agent.ts";
import { counter, useHoldfast } from "./opened.ts";
import { newId } from "./store.ts";

const { open, leaveRun } = useHoldfast();

const model = (messages: readonly unknown[], answer: unknown = "yes") =>
  port().step({ kind: "model", name: "acme/m", input: { messages } }, () => answer);

/** A run of this work, recorded. */
async function recorded<T>(work: (input: { who: string }) => Promise<T>) {
  const [id, holdfast] = [newId(), await open()];
  const input = { who: "ana" };
  await holdfast.run(id, () => work(input), { input }).catch(() => {});
  return { id, holdfast };
}

describe("a trace of the code that made the record", () => {
  test("follows it to the same end, with no socket and no call", async () => {
    const { calls, does } = counter();
    const work = async ({ who }: { who: string }) => {
      const at = now();
      const planned = await model([{ role: "user", content: who }]);
      const sent = await tool("send", { to: who }, does("send", new Map([["sent", 1n]])));
      const [a, b] = await Promise.all(
        ["a", "b"].map((name) => port().lane(name, () => model([{ role: "user", content: name }], name))),
      );
      return { at, planned, sent, a, b, id: randomUUID() };
    };
    const { id, holdfast } = await recorded(work);
    const { value, tried } = await withoutSockets(() => holdfast.replay(id, work));
    expect(value).toMatchObject({ follows: true, departures: [], calls: 6, ended: "settled" });
    expect(value.value).toEqual((await holdfast.runs.get(id)).value);
    expect([tried, calls]).toEqual([0, ["send"]]);
  });

  test("writes nothing", async () => {
    const { id, holdfast } = await recorded(() => step("a", () => 1));
    const before = await holdfast.entries(id);
    await holdfast.replay(id, () => step("a", () => 1));
    expect(await holdfast.entries(id)).toEqual(before);
    expect((await holdfast.runs.list({ limit: 500 })).length).toBeGreaterThan(0);
    expect((await holdfast.runs.list({ limit: 500 })).filter((run) => run.parent === id)).toEqual([]);
  });

  test("follows a run that failed to the same error", async () => {
    const work = async () => {
      await step("a", () => 1);
      throw new RangeError("too far");
    };
    const { id, holdfast } = await recorded(work);
    expect(await holdfast.replay(id, work)).toMatchObject({
      follows: true,
      error: { name: "RangeError", message: "too far" },
    });
  });

  test("throws again what a tool threw, and the agent goes on", async () => {
    const work = () => tool("send", 1, () => Promise.reject(new Error("no"))).catch((error) => error.message);
    const { id, holdfast } = await recorded(work);
    expect(await holdfast.replay(id, work)).toMatchObject({ follows: true, value: "no" });
  });

  test("ends where the record of an unfinished run does", async () => {
    const { calls, does } = counter();
    const id = await leaveRun(async (underWay) => {
      await step("a", does("a"));
      underWay();
      await new Promise(() => {});
    });
    const trace = await (await open()).replay(id, async () => {
      await step("a", does("a"));
      await step("b", does("b"));
    });
    expect(trace).toMatchObject({ follows: true, ended: "record", calls: 1 });
    expect(calls).toEqual(["a"]);
  });

  test("answers a child run from the child's own record", async () => {
    const { calls, does } = counter();
    const holdfast = await open();
    const [id, child] = [newId(), newId()];
    const work = () => holdfast.run(child, () => step("inner", does("inner", 7)));
    await holdfast.run(id, work);
    expect(await holdfast.replay(id, work)).toMatchObject({ follows: true, value: 7 });
    expect(calls).toEqual(["inner"]);
  });
});

describe("a trace of other code", () => {
  const ask = (system: string) => async () => {
    await model([{ role: "system", content: "Hello." }]);
    return await model([
      { role: "system", content: system },
      { role: "user", content: "Refund order 7." },
    ]);
  };

  test("names the turn whose prompt drifted, shows how, and goes on with the record", async () => {
    const { id, holdfast } = await recorded(ask("Be kind.\nBe brief."));
    const trace = await holdfast.replay(id, ask("Be kind.\nBe exact."));
    expect(trace).toMatchObject({ follows: false, value: "yes", ended: "settled", calls: 2 });
    expect(trace.departures.map(departureText)).toEqual([
      [
        "The code drifts from its record at turn 2 of the run (model#1): the model is asked something else: messages changed.",
        "  messages[0].content",
        "    Be kind.",
        "  - Be brief.",
        "  + Be exact.",
      ].join("\n"),
    ]);
  });

  test("stops at a call with other arguments, and shows them", async () => {
    const { calls, does } = counter();
    const { id, holdfast } = await recorded(() => tool("send", { to: "ana", cents: 5 }, does("sent")));
    const trace = await holdfast.replay(id, () => tool("send", { to: "ana", cents: 6 }, does("again")));
    expect(trace).toMatchObject({ follows: false, ended: "stopped", value: undefined });
    expect(trace.departures).toEqual([
      {
        at: "diverged",
        step: "send#0",
        lane: "",
        turn: undefined,
        why: "on record are other arguments",
        differences: [{ path: "cents", lines: ["- 5", "+ 6"] }],
      },
    ]);
    expect(calls).toEqual(["sent"]);
  });

  test("stops at a call that is not on record, and names what the record goes on with", async () => {
    const { calls, does } = counter();
    const { id, holdfast } = await recorded(async () => {
      await step("a", does("a"));
      await step("b", does("b"));
    });
    const { departures } = await holdfast.replay(id, async () => {
      await step("a", does("a"));
      await step("other", does("other"));
    });
    expect(departures).toMatchObject([
      { at: "diverged", step: "other#0", why: "other is not on record; the record goes on with b#0" },
    ]);
    expect(calls).toEqual(["a", "b"]);
  });

  test("says what is on record that the code does not come to, the insides of tools apart", async () => {
    const { id, holdfast } = await recorded(async () => {
      await tool("outer", 1, () => step("inner", () => 1));
      await step("last", () => 1);
      return 1;
    });
    const { departures } = await holdfast.replay(id, () => tool("outer", 1, () => 1));
    expect(departures).toMatchObject([{ at: "missed", step: "last#0" }]);
  });

  test("says that it ends otherwise, and how", async () => {
    const { id, holdfast } = await recorded(async () => ({ refunded: 5, to: "ana" }));
    const { departures } = await holdfast.replay(id, async () => ({ refunded: 6, to: "ana" }));
    expect(departures).toMatchObject([
      { at: "end", differences: [{ path: "refunded", lines: ["- 5", "+ 6"] }] },
    ]);
    const thrown = await holdfast.replay(id, () => Promise.reject(new Error("no")));
    expect(thrown.departures).toMatchObject([{ at: "end", why: "the run succeeded, and the code throws" }]);
  });

  test("is given the run's own input", async () => {
    const { id, holdfast } = await recorded(async ({ who }) => who);
    expect((await holdfast.replay(id, async ({ who }: { who: string }) => who)).follows).toBe(true);
  });
});

describe("nothing is live in a trace, whatever the agent tries:", () => {
  test.each<[string, (holdfast: Awaited<ReturnType<typeof open>>) => unknown]>([
    ["a run of its own", (holdfast) => holdfast.run(newId(), () => 1)],
    ["a stream", (holdfast) => holdfast.stream(newId(), () => 1).done],
    ["to delete runs", (holdfast) => holdfast.prune({ olderThan: 0 })],
    [
      "to settle a doubt",
      (holdfast) => holdfast.doubts.resolve("r", "s", { didNotHappen: true }, { by: "ana" }),
    ],
    ["a model", () => plans("something else")],
    ["a tool, in a lane of its own", () => port().lane("sub", () => tool("wire", 1, () => 1))],
    [
      "a call held by the port alone",
      async () => must(current(), "run").begin({ kind: "tool", name: "x", input: 1 }),
    ],
    ["the time", () => now()],
  ])("%s", async (_, tries) => {
    const { id, holdfast } = await recorded(async () => 1);
    const runs = await holdfast.runs.list({ limit: 500 });
    const trace = await holdfast.replay(id, async () => {
      await outcomeOf(Promise.resolve().then(() => tries(holdfast)));
      return 1;
    });
    expect(trace.departures).toHaveLength(1);
    expect(await holdfast.runs.list({ limit: 500 })).toEqual(runs);
  });

  test("its signal is aborted where it leaves the record, so that what waits there can end", async () => {
    const { id, holdfast } = await recorded(async () => 1);
    const aborted = Promise.withResolvers<unknown>();
    await holdfast.replay(id, async () => {
      const { signal } = port();
      signal.addEventListener("abort", () => aborted.resolve(signal.reason));
      await step("new", () => 1);
    });
    expect(await aborted.promise).toBeInstanceOf(Error);
  });
});

test("a run that was pruned cannot be traced, and one that is not there neither", async () => {
  const { id, holdfast } = await recorded(async () => 1);
  await holdfast.prune({ olderThan: 0 });
  await expect(holdfast.replay(id, () => 1)).rejects.toMatchObject({ code: "COMMAND_NOT_ALLOWED" });
  const missing = holdfast.replay("no such run", () => 1);
  await expect(missing).rejects.toSatisfy((error) => HoldfastError.is(error, "RUN_NOT_FOUND"));
});
