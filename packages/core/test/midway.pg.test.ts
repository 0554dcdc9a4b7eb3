import { describe, expect, test } from "vitest";
import { current, type EmittedCall, type Port } from "../src/index.ts";
import { outcomeOf, plans, port, told, tool } from "./agent.ts";
import { counter, forever, useHoldfast } from "./opened.ts";
import { newId } from "./store.ts";

const { open, interruptRun, leaveRun } = useHoldfast();

const pay = (
  input: unknown,
  work: () => unknown,
  more: { id?: string; answer?: string } = { id: "call_0" },
) => tool("pay", input, work, { verbatim: true, ...more });
const asks = (input: unknown, answer?: string): EmittedCall => ({ id: "call_0", name: "pay", input, answer });

describe("a tool call whose answer this execution never comes to, as its framework goes on behind it,", () => {
  test("is the one that the answer on record asked for", async () => {
    const id = await interruptRun(async (interrupt) => {
      await port().lane("agent@1", () => plans("a", asks({ to: "ana" })));
      await port().lane("tools@2", () => pay({ to: "ana" }, () => "paid"));
      await interrupt();
    });
    const { calls, does } = counter();
    const work = () => port().lane("tools@2", () => pay({ to: "ana" }, does("again")));
    expect(await (await open()).run(id, work)).toBe("paid");
    expect(calls).toEqual([]);
  });

  test("stays that one where the framework moved it to another lane", async () => {
    const id = await interruptRun(async (interrupt) => {
      await port().lane("agent@1", () => plans("a", asks({ to: "ana" })));
      await port().lane("tools@2", () => pay({ to: "ana" }, () => "paid"));
      await interrupt();
    });
    const { calls, does } = counter();
    const work = () => port().lane("tools@3", () => pay({ to: "ana" }, does("again")));
    expect(await (await open()).run(id, work)).toBe("paid");
    expect(calls).toEqual([]);
  });

  test("is a new one where a later answer used its id again", async () => {
    const id = await interruptRun(async (interrupt) => {
      await port().lane("agent@1", () => plans("a", asks({ to: "ana" })));
      await port().lane("tools@2", () => pay({ to: "ana" }, () => "paid first"));
      await port().lane("agent@3", () => plans("b", asks({ to: "ana" })));
      await interrupt();
    });
    const work = () => port().lane("tools@4", () => pay({ to: "ana" }, () => "paid again"));
    expect(await (await open()).run(id, work)).toBe("paid again");
  });

  test("is told apart by the answer that it names, however late that was", async () => {
    const id = await interruptRun(async (interrupt) => {
      await port().lane("agent@1", () => plans("a", asks({ to: "ana" }, "msg_1")));
      await port().lane("tools@2", () =>
        pay({ to: "ana" }, () => "first", { id: "call_0", answer: "msg_1" }),
      );
      await port().lane("agent@3", () => plans("b", asks({ to: "ana" }, "msg_2")));
      await interrupt();
    });
    const { calls, does } = counter();
    const work = () =>
      port().lane("tools@2", () => pay({ to: "ana" }, does("again"), { id: "call_0", answer: "msg_1" }));
    expect(await (await open()).run(id, work)).toBe("first");
    expect(calls).toEqual([]);
  });
});

describe("a tool call that somebody changed after the model wrote it", () => {
  test("is recorded as it is made", async () => {
    const holdfast = await open();
    const id = newId();
    await holdfast.run(id, async () => {
      await plans("a", asks({ cents: 1 }));
      await pay({ cents: 2 }, () => "paid");
    });
    const intent = (await holdfast.entries(id)).find(({ kind }) => kind === "intent");
    expect(intent).toMatchObject({ input: { cents: 2 } });
  });

  test("diverges where it has gone out as the model wrote it", async () => {
    const id = await interruptRun(async (interrupt) => {
      await plans("a", asks({ cents: 1 }));
      await pay({ cents: 1 }, () => "paid");
      await interrupt();
    });
    const { calls, does } = counter();
    const work = async () => {
      await plans("a", asks({ cents: 1 }));
      return pay({ cents: 2 }, does("again"));
    };
    expect(await outcomeOf((await open()).run(id, work))).toBe("DIVERGED");
    expect(calls).toEqual([]);
  });
});

describe("a call that gives itself up by its framework's control flow", () => {
  class Interrupt extends Error {}
  const undone = (error: unknown) => error instanceof Interrupt;
  const giveUp = () => {
    throw new Interrupt("later");
  };

  test.each(["once", "read", "transaction"] as const)(
    "with the effect %s has not happened",
    async (effect) => {
      const holdfast = await open();
      const id = newId();
      const seen = holdfast.run(id, async () => {
        await tool("pay", {}, giveUp, { undone, effect }).catch(() => {});
        return tool("pay", {}, () => "paid", { undone, effect });
      });
      expect(await seen).toBe("paid");
      const step = "pay#0";
      const facts = ["intent", "resolution", "intent", "observation"].map((kind) => `${kind} ${step}`);
      expect((await told(holdfast, id)).slice(0, 4)).toEqual(facts);
    },
  );

  test("is not said not to have happened where it may have happened before", async () => {
    const refund = (work: () => unknown) => tool("refund", {}, work, { undone, effect: "idempotent" });
    const id = await leaveRun((underWay) =>
      refund(() => {
        underWay();
        return forever();
      }),
    );
    const holdfast = await open();
    const refunded = holdfast.run(id, async () => {
      await refund(giveUp).catch(() => {});
      return await refund(() => "refunded");
    });
    expect(await refunded).toBe("refunded");
    const lines = (await told(holdfast, id)).filter((line) => line.endsWith("refund#0"));
    expect(lines).toEqual([...Array(3).fill("intent refund#0"), "observation refund#0"]);
  });

  test("is made when the run goes on", async () => {
    const id = await interruptRun(async (interrupt) => {
      await tool("pay", {}, giveUp, { undone }).catch(() => {});
      await interrupt();
    });
    expect(await (await open()).run(id, () => tool("pay", {}, () => "paid", { undone }))).toBe("paid");
  });
});

describe("a lane that its framework tries again", () => {
  /** A node: its model plans a payment, the tool pays, and then the model says something that the node cannot use. */
  async function node(says: () => Promise<string>, paid: () => unknown): Promise<string> {
    await plans("plan", asks({ to: "ana" }));
    await pay({ to: "ana" }, paid);
    return says();
  }
  const say = (answer: () => unknown) =>
    port().step<string>(
      { kind: "model", name: "acme/m", input: { prompt: "say" } },
      () => answer() as string,
    );

  test("finds its effects on record, and asks anew only what came after the last", async () => {
    const holdfast = await open();
    const { calls, does } = counter();
    const value = await holdfast.run(newId(), async () => {
      let lane: Port | undefined;
      await port().lane("node", async () => {
        lane = current();
        await node(() => say(does("bad", "nonsense")), does("paid"));
      });
      return lane?.resample(() => node(() => say(does("good", "sense")), does("paid again")));
    });
    expect(value).toBe("sense");
    expect(calls).toEqual(["paid", "bad", "good"]);
  });

  test("does not pay beside what it has paid, where its model now plans another payment", async () => {
    const { calls, does } = counter();
    const twice = (await open()).run(newId(), async () => {
      let lane: Port | undefined;
      await port().lane("node", async () => {
        lane = current();
        await tool("pay", { to: "ana" }, does("ana"), { id: "not from a model on record" });
      });
      return lane?.resample(() => tool("pay", { to: "bob" }, does("bob"), { id: "another" }));
    });
    expect(await outcomeOf(twice)).toBe("DIVERGED");
    expect(calls).toEqual(["ana"]);
  });
});
