import { describe, expect, test } from "vitest";
import { type Holdfast, type HoldfastOptions, now, randomUUID, step } from "../src/index.ts";
import { outcomeOf, port, tool } from "./agent.ts";
import { useHoldfast } from "./opened.ts";
import { newId } from "./store.ts";

const { open } = useHoldfast();

/** What was really called, in order. */
let calls: string[] = [];

interface Said {
  readonly text: string;
  readonly asks?: readonly { id: string; name: string; input: unknown }[];
}

const ask = (messages: readonly unknown[], says: (messages: readonly unknown[]) => Said): Promise<Said> =>
  port().step<Said>(
    { kind: "model", name: "acme/m", input: { messages }, emits: ({ asks = [] }) => asks },
    () => {
      calls.push("model");
      return says(messages);
    },
  );

const look = { effect: "read" } as const;
const tools = { "look_*": look, wire: { effect: "once" } } satisfies HoldfastOptions["tools"];

/** A turn that asks for a look-up of orders, one that pays what they cost, and a last word. */
const agent =
  ({ orders = ["a", "b"] } = {}) =>
  async ({ who }: { who: string }) => {
    const system = `You pay the orders of ${who}.`;
    const first = await ask([system], () => ({
      text: "look",
      asks: orders.map((order) => ({ id: crypto.randomUUID(), name: "look_up", input: { order } })),
    }));
    const found = [];
    for (const { id, input } of first.asks ?? []) {
      const { order } = input as { order: string };
      const cents = await tool(
        "look_up",
        { order },
        () => calls.push(`look_up ${order}`) && order.length * 100,
        { id },
      );
      found.push({ order, cents });
    }
    const total = (messages: readonly unknown[]) =>
      (messages.slice(1) as { cents: number }[]).reduce((sum, { cents }) => sum + cents, 0);
    const second = await ask([system, ...found], (messages) => ({
      text: "pay",
      asks: [{ id: crypto.randomUUID(), name: "wire", input: { cents: total(messages) } }],
    }));
    const [wire] = second.asks ?? [];
    const input = wire?.input as { cents: number };
    const paid = await outcomeOf(
      tool("wire", input, () => calls.push(`wire ${input.cents}`) && `paid ${input.cents}`, wire),
    );
    const last = await ask([system, ...found, paid], (messages) => ({
      text: `done: ${String(messages.at(-1))}`,
    }));
    return last.text;
  };

async function recorded(work = agent(), holdfast?: Holdfast) {
  const [id, here] = [newId(), holdfast ?? (await open({ tools }))];
  calls = [];
  const input = { who: "ana" };
  const value = await here.run(id, () => work(input), { input, agent: "payer" });
  const recordedCalls = calls;
  calls = [];
  return { id, holdfast: here, value, recordedCalls };
}

const mocked = async (holdfast: Holdfast, id: string) =>
  (await holdfast.entries(id)).flatMap((entry) =>
    entry.kind === "observation" ? [`${entry.name} ${entry.mocked ?? "live"}`] : [],
  );

describe("mock-tools", () => {
  test("asks the models anew, and answers tools from the record by name and arguments", async () => {
    const { id, holdfast, recordedCalls } = await recorded();
    expect(recordedCalls).toEqual(["model", "look_up a", "look_up b", "model", "wire 200", "model"]);
    const before = await holdfast.entries(id);
    const replayed = await holdfast.replay(id, agent({ orders: ["b", "a"] }), { mode: "mock-tools" });
    expect(calls).toEqual(["model", "model", "model"]);
    expect(replayed).toMatchObject({ value: "done: paid 200", error: undefined });
    expect(await mocked(holdfast, replayed.id)).toEqual([
      "acme/m live",
      "look_up record",
      "look_up record",
      "acme/m live",
      "wire record",
      "acme/m live",
    ]);
    expect(await holdfast.entries(id)).toEqual(before);
  });

  test("refuses a tool whose call is not on record, and tells the agent why", async () => {
    const { id, holdfast } = await recorded();
    const replayed = await holdfast.replay(id, agent({ orders: ["a"] }), { mode: "mock-tools" });
    expect(calls).toEqual(["model", "model", "model"]);
    expect(replayed.value).toBe("done: COMMAND_NOT_ALLOWED");
    expect(await mocked(holdfast, replayed.id)).toContain("wire refused");
  });

  test("answers it by a stub where there is one", async () => {
    const { id, holdfast } = await recorded();
    const replayed = await holdfast.replay(id, agent({ orders: ["a"] }), {
      mode: "mock-tools",
      stubs: { wire: ({ cents }: { cents: number }) => `as if ${cents}` },
    });
    expect([calls, replayed.value]).toEqual([["model", "model", "model"], "done: as if 100"]);
  });

  test("keeps nothing of what a stub gives or throws, or of what is set, that must not be kept", async () => {
    const holdfast = await open({ tools, redact: ["output.ssn"] });
    const work = async () => [
      await port().step({ kind: "model", name: "acme/m", input: {} }, () => ({ ssn: "1" })),
      await tool("look_up", {}, () => ({ ssn: "2" })),
    ];
    const id = newId();
    await holdfast.run(id, work);
    const more = async () => [
      ...(await work()),
      await tool("given", {}, () => 1),
      await tool("thrown", {}, () => 1).catch((error) => error.message as string),
    ];
    const output = { ssn: "078-05-1120" };
    const replayed = await holdfast.replay(id, more, {
      mode: "mock-tools",
      set: { steps: { "model#0": { output }, "look_up#0": { output } } },
      stubs: {
        given: () => output,
        thrown: () => {
          throw new Error("no: https://ana:hunter2-secret@api.example");
        },
      },
    });
    const kept = { ssn: "[redacted]" };
    expect(replayed.value).toEqual([kept, kept, kept, "no: https://[redacted]@api.example"]);
    expect(JSON.stringify(await holdfast.entries(replayed.id))).not.toMatch(/078|hunter2/);
  });

  test("leaves the record as it is up to an entry, and does the rest", async () => {
    const { id, holdfast } = await recorded();
    const second = (await holdfast.entries(id)).findLast(
      (entry) => entry.kind === "observation" && entry.name === "look_up",
    );
    const replayed = await holdfast.replay(id, agent(), { mode: "mock-tools", from: second?.seq as number });
    expect([calls, replayed.value]).toEqual([["model", "model"], "done: paid 200"]);
  });

  test("cannot begin where a call is under way", async () => {
    const { id, holdfast } = await recorded();
    const intent = (await holdfast.entries(id)).find((entry) => entry.kind === "intent");
    const replaying = holdfast.replay(id, agent(), { mode: "mock-tools", from: intent?.seq as number });
    await expect(replaying).rejects.toMatchObject({ code: "COMMAND_NOT_ALLOWED" });
  });
});

describe("counterfactual", () => {
  const lookUps = async (holdfast: Holdfast, id: string) =>
    (await holdfast.entries(id)).flatMap((entry) =>
      entry.kind === "observation" && entry.name === "look_up" ? [entry.step] : [],
    );

  test("without a change costs nothing and comes to the same", async () => {
    const { id, holdfast, value } = await recorded();
    const replayed = await holdfast.replay(id, agent(), { mode: "counterfactual" });
    expect([calls, replayed.value]).toEqual([[], value]);
    expect(replayed.diff).toMatchObject({ same: true });
  });

  test.each([0, 1])(
    "another result of look-up %i changes nothing before the next model call, and all after it",
    async (k) => {
      const { id, holdfast } = await recorded();
      const key = (await lookUps(holdfast, id))[k] as string;
      const replayed = await holdfast.replay(id, agent(), {
        mode: "counterfactual",
        set: { steps: { [key]: { output: 900 } } },
        stubs: { wire: ({ cents }: { cents: number }) => `as if ${cents}` },
      });
      expect(calls).toEqual(["model", "model"]);
      expect(replayed.value).toBe("done: as if 1000");
      expect(replayed.diff.steps.map(({ at, name }) => `${at} ${name}`)).toEqual([
        "same acme/m",
        ...[0, 1].map((i) => `${i === k ? "changed" : "same"} look_up`),
        "drifted acme/m",
        "drifted wire",
        "drifted acme/m",
      ]);
      expect((await mocked(holdfast, replayed.id)).filter((each) => each.endsWith(" set"))).toEqual([
        "look_up set",
      ]);
    },
  );

  test("another answer of a model reaches the tools that it asks for", async () => {
    const { id, holdfast } = await recorded();
    const output: Said = { text: "pay", asks: [{ id: "call_x", name: "wire", input: { cents: 7 } }] };
    const replayed = await holdfast.replay(id, agent(), {
      mode: "counterfactual",
      set: { steps: { "model#1": { output } } },
      stubs: { wire: ({ cents }: { cents: number }) => `as if ${cents}` },
    });
    expect([calls, replayed.value]).toEqual([["model"], "done: as if 7"]);
  });

  test("another input is given to the work and stands in the replay's ledger", async () => {
    const { id, holdfast } = await recorded();
    const replayed = await holdfast.replay(id, agent(), {
      mode: "counterfactual",
      set: { input: { who: "bob" } },
    });
    expect(calls).toEqual(["model", "model", "model"]);
    expect(await holdfast.runs.get(replayed.id)).toMatchObject({ input: { who: "bob" } });
    expect(replayed.diff.input).toMatchObject([{ path: "who" }]);
  });

  test("calls a tool that only reads where the record has no answer, and no tool with an effect", async () => {
    const { id, holdfast } = await recorded();
    const replayed = await holdfast.replay(id, agent({ orders: ["longer"] }), { mode: "counterfactual" });
    expect(calls).toEqual([]); // the model is asked the same: its answer on record stands
    const other = await holdfast.replay(
      id,
      async (input: { who: string }) => await agent({ orders: ["longer"] })({ who: `${input.who}!` }),
      { mode: "counterfactual" },
    );
    expect(calls).toEqual(["model", "look_up longer", "model", "model"]);
    expect([replayed.value, other.value]).toEqual(["done: paid 200", "done: COMMAND_NOT_ALLOWED"]);
  });

  test("calls a tool with an effect that was named, under a key of the replay's own", async () => {
    const { id, holdfast } = await recorded();
    const keyOf = async (runId: string) =>
      (await holdfast.entries(runId)).flatMap((entry) =>
        entry.kind === "intent" && entry.name === "wire" ? entry.key : [],
      );
    const replayed = await holdfast.replay(id, agent(), { mode: "counterfactual", live: ["wire"] });
    expect([calls, replayed.value]).toEqual([["wire 200"], "done: paid 200"]);
    expect(await keyOf(replayed.id)).not.toEqual(await keyOf(id));
  });

  test("answers one call with an effect by one record: the same call again is not on record", async () => {
    const holdfast = await open({ tools });
    const id = newId();
    const wires = (times: number) => async () => {
      const came = [];
      for (let n = 0; n < times; n++) came.push(await outcomeOf(tool("wire", { cents: 5 }, () => "paid")));
      return came;
    };
    await holdfast.run(id, wires(1));
    const { value } = await holdfast.replay(id, wires(2), { mode: "counterfactual" });
    expect(value).toEqual(["paid", "COMMAND_NOT_ALLOWED"]);
  });

  test("takes times and ids from the record", async () => {
    const holdfast = await open();
    const id = newId();
    const work = async () => [now(), randomUUID()];
    const value = await holdfast.run(id, work);
    expect((await holdfast.replay(id, work, { mode: "counterfactual" })).value).toEqual(value);
  });

  test("answers a call twice at once by one record", async () => {
    const holdfast = await open({ tools });
    const id = newId();
    const work = () => Promise.all(["a", "a"].map((input) => tool("look_up", input, () => 1)));
    await holdfast.run(id, work);
    expect((await holdfast.replay(id, work, { mode: "counterfactual" })).value).toEqual([1, 1]);
  });

  test("throws again what a tool threw, and says what the work rejected with", async () => {
    const holdfast = await open();
    const id = newId();
    const work = () => tool("wire", 1, () => Promise.reject(new RangeError("too much")));
    await holdfast.run(id, work).catch(() => {});
    const replayed = await holdfast.replay(id, work, { mode: "counterfactual" });
    expect(replayed.error).toMatchObject({ name: "RangeError", message: "too much" });
  });

  test("may not change a step that is not on record", async () => {
    const { id, holdfast } = await recorded();
    const set = { steps: { "nothing#0": { output: 1 } } };
    const replaying = holdfast.replay(id, agent(), { mode: "counterfactual", set });
    await expect(replaying).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  });
});

describe("a replay's own run", () => {
  test("says what it replays, and nobody goes on with it", async () => {
    const { id, holdfast } = await recorded();
    const { id: own } = await holdfast.replay(id, agent(), { mode: "mock-tools", id: newId() });
    expect(await holdfast.runs.get(own)).toMatchObject({ forkedFrom: id, status: "succeeded" });
    const note = (await holdfast.entries(own)).find((entry) => entry.kind === "note");
    expect(note).toMatchObject({ note: "forked", from: id, shared: 1, replays: "mock-tools" });
    await expect(holdfast.fork(own)).rejects.toMatchObject({ code: "COMMAND_NOT_ALLOWED" });

    const failing = await holdfast.replay(id, () => Promise.reject(new Error("no")), { mode: "mock-tools" });
    expect(failing.error).toMatchObject({ message: "no" });
    calls = [];
    const going = holdfast.run(failing.id, () => step("pay", () => calls.push("pay")));
    await expect(going).rejects.toMatchObject({ code: "COMMAND_NOT_ALLOWED" });
    expect(calls).toEqual([]);
  });

  test("begins no run, and asks the database for nothing", async () => {
    const holdfast = await open();
    const [id, child] = [newId(), newId()];
    const work = () => holdfast.run(child, () => step("inner", () => calls.push("inner")));
    calls = [];
    await holdfast.run(id, work);
    const { value } = await holdfast.replay(id, work, { mode: "counterfactual" });
    expect([value, calls]).toEqual([1, ["inner"]]);
    const other = await holdfast.replay(id, () => outcomeOf(holdfast.run(newId(), () => 1)), {
      mode: "counterfactual",
    });
    expect(other.value).toBe("RUN_NOT_FOUND");
    const prunes = await holdfast.replay(id, () => outcomeOf(holdfast.prune({ olderThan: 0 })), {
      mode: "mock-tools",
    });
    expect(prunes.value).toBe("COMMAND_NOT_ALLOWED");
  });
});

test("a prompt that is set is asked with behind `from`, and what stands before that stands", async () => {
  const holdfast = await open({ tools, drift: "fail" });
  const id = newId();
  const asked: unknown[] = [];
  const ask = (last: unknown) => {
    const prompt = port().set?.prompt ?? "Be kind.";
    const input = { prompt, last };
    return port().step({ kind: "model", name: "acme/m", input, heedsSet: true }, () => {
      asked.push(prompt);
      return `${prompt} ${asked.length}`;
    });
  };
  const work = async () => [await ask("first"), await ask("second")];
  expect(await holdfast.run(id, work)).toEqual(["Be kind. 1", "Be kind. 2"]);
  const first = (await holdfast.entries(id)).find((entry) => entry.kind === "observation");
  const { value, diff } = await holdfast.replay(id, work, {
    mode: "counterfactual",
    from: first?.seq,
    set: { prompt: "Be exact." },
  });
  expect([value, asked]).toEqual([
    ["Be kind. 1", "Be exact. 3"],
    ["Be kind.", "Be kind.", "Be exact."],
  ]);
  expect(diff.steps.map(({ at }) => at)).toEqual(["same", "drifted"]);
});

test("a prompt that is set is refused where the adapter does not heed it, and not left out", async () => {
  const { id, holdfast } = await recorded();
  const replaying = holdfast.replay(id, agent(), { mode: "counterfactual", set: { prompt: "Be exact." } });
  await expect(replaying).rejects.toMatchObject({ code: "INVALID_ARGUMENT", message: /does not heed it/ });
  expect(calls).toEqual([]);
});
