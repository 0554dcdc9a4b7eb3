import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { HoldfastError } from "../errors.ts";
import { type Holdfast, openHoldfast } from "../holdfast.ts";
import type { HoldfastOptions } from "../options.ts";
import { budgetRows } from "./budget-rows.ts";
import type { ContractAgent, ContractBench } from "./contract-bench.ts";
import { forkRows } from "./fork-rows.ts";
import { policyRows } from "./policy-rows.ts";
import { replayRows } from "./replay-rows.ts";

export interface AdapterContract {
  /** Opens a bench, once. */
  readonly bench: () => Promise<ContractBench>;
  /** An empty database of the contract's own. */
  readonly database: () => Promise<{ readonly url: string; drop(): Promise<void> }>;
  /** Rows that this framework cannot do, with the reason. */
  readonly skip?: Readonly<Record<string, string>>;
}

/**
 * What an adapter must do, word for word the same for each. Calls vitest's `describe` and `test`. A crash is a process
 * that is gone: its Holdfast is closed while a call is under way, and another one goes on.
 */
export function adapterContract(name: string, { bench, database, skip = {} }: AdapterContract): void {
  describe(`the adapter contract: ${name}`, () => {
    let opened: Holdfast[] = [];
    let framework: ContractBench;
    let db: Awaited<ReturnType<AdapterContract["database"]>>;
    let runs = 0;

    beforeAll(async () => {
      framework = await bench();
      db = await database();
    });
    afterEach(async () => {
      await Promise.all(opened.map((hf) => hf.close({ graceSeconds: 0 })));
      opened = [];
    });
    afterAll(async () => {
      await framework.close?.();
      await db.drop();
    });

    const open = async (options: HoldfastOptions = {}): Promise<Holdfast> => {
      const hf = await openHoldfast({ database: db.url, graceSeconds: 0.1, ...options });
      opened.push(hf);
      return hf;
    };
    const newId = () => `contract-${++runs}`;
    const row = (title: string, body: () => Promise<void>) => {
      const why = skip[title];
      if (why === undefined) test(title, body, 20_000);
      else test.skip(`${title} (${why})`, () => {});
    };

    /** Runs an agent until `tool` is under way for the first time, and then its process is gone. */
    async function crashIn(
      tool: string,
      agent: ContractAgent,
      options: HoldfastOptions = {},
      how: How = "run",
    ) {
      const reached = Promise.withResolvers<void>();
      const log: string[] = [];
      let gone = false;
      const tools = Object.fromEntries(
        Object.entries(agent.tools).map(([called, does]) => [
          called,
          (input: never) => {
            log.push(called);
            if (called !== tool || gone) return does(input);
            reached.resolve();
            return new Promise<never>(() => {}); // whoever dies never hears of it
          },
        ]),
      );
      const made = framework.agent({ ...agent, tools });
      const id = newId();
      const first = await open(options);
      const dying = first.run(id, made[how]).catch(() => {});
      await reached.promise;
      await first.close({ graceSeconds: 0 });
      await dying;
      gone = true;
      const askedBefore = made.asked();
      return {
        id,
        log,
        askedSince: () => made.asked() - askedBefore,
        resume: async () => await (await open(options)).run(id, made[how]),
        made,
      };
    }

    const twoTools: ContractAgent = {
      turns: [
        { calls: [{ name: "first", input: { n: 1 } }] },
        { calls: [{ name: "second", input: { n: 2 } }] },
        { text: "done" },
      ],
      tools: { first: () => ({ ok: 1 }), second: () => ({ ok: 2 }) },
    };
    const repeatable = { tools: { second: { effect: "idempotent" as const } } };

    for (const how of ["run", "stream"] as const) {
      row(`a call that is on record is not made again (${how})`, async () => {
        const crash = await crashIn("second", twoTools, repeatable, how);
        expect(await crash.resume()).toBe("done");
        expect(crash.log).toEqual(["first", "second", "second"]);
        expect(crash.askedSince()).toBe(1); // the last turn: the two before it are on record
      });

      row(`a run that has finished makes no call at all (${how})`, async () => {
        const made = framework.agent(twoTools);
        const id = newId();
        expect(await (await open()).run(id, made[how])).toBe("done");
        const asked = made.asked();
        expect(await (await open()).run(id, made[how])).toBe("done");
        expect(made.asked()).toBe(asked);
      });
    }

    row("a crash before the call makes the call on restart", async () => {
      const log: string[] = [];
      const id = newId();
      const agent = { ...twoTools, tools: { ...twoTools.tools, second: () => log.push("second") } };
      const reached = Promise.withResolvers<void>();
      const dying = framework.agent({
        ...agent,
        tools: {
          ...agent.tools,
          first: () => {
            reached.resolve();
            return { ok: 1 };
          },
        },
      });
      const first = await open();
      // The process is gone as soon as the first tool has returned: of the second there is no trace yet, or a whole one.
      const run = first.run(id, dying.run).catch(() => {});
      await reached.promise;
      await first.close();
      await run;
      expect(await (await open()).run(id, framework.agent(agent).run)).toBe("done");
      expect(log).toEqual(["second"]);
    });

    row("a crash after a read's call makes it again", async () => {
      const crash = await crashIn("second", twoTools, { tools: { "*": { effect: "read" } } });
      expect(await crash.resume()).toBe("done");
      expect(crash.log).toEqual(["first", "second", "second"]);
    });

    row("a crash after a once-only call leaves it in doubt and makes no call", async () => {
      const crash = await crashIn("second", twoTools);
      const error = await crash.resume().catch((error: unknown) => error);
      expect(HoldfastError.is(error, "RUN_WAITING")).toBe(true);
      expect(crash.log).toEqual(["first", "second"]);
      expect(crash.askedSince()).toBe(0);
      const [doubt] = await (await open()).doubts.list({ runId: crash.id });
      expect(doubt).toMatchObject({ name: "second", input: { n: 2 } });
    });

    row("a doubt resolved as happened returns the resolved output", async () => {
      let seen: unknown;
      const turns = [
        ...twoTools.turns.slice(0, 2),
        { calls: [{ name: "third", input: {} }] },
        { text: "done" },
      ];
      const tools = { ...twoTools.tools, third: () => ({ ok: 3 }) };
      const crash = await crashIn("second", { ...twoTools, turns, tools });
      await crash.resume().catch(() => {});
      const hf = await open();
      const [doubt] = await hf.doubts.list({ runId: crash.id });
      await hf.doubts.resolve(crash.id, doubt?.step ?? "", { happened: { ok: "by hand" } }, { by: "ana" });
      expect(await crash.resume()).toBe("done");
      expect(crash.log).toEqual(["first", "second", "third"]);
      for (const entry of await hf.entries(crash.id)) if (entry.kind === "resolution") seen = entry.output;
      expect(seen).toEqual({ ok: "by hand" });
    });

    row("a doubt resolved as not having happened makes the call", async () => {
      const crash = await crashIn("second", twoTools);
      await crash.resume().catch(() => {});
      const hf = await open();
      const [doubt] = await hf.doubts.list({ runId: crash.id });
      await hf.doubts.resolve(crash.id, doubt?.step ?? "", { didNotHappen: true }, { by: "ana" });
      expect(await crash.resume()).toBe("done");
      expect(crash.log).toEqual(["first", "second", "second"]);
    });

    row("a changed input diverges", async () => {
      const calls = [
        { name: "first", input: { n: 1 }, id: "same" },
        { name: "first", input: { n: 2 }, id: "same" },
      ];
      const made = framework.agent({ ...twoTools, turns: [{ calls }, { text: "done" }] });
      const error = await (await open()).run(newId(), made.run).catch((error: unknown) => error);
      expect(HoldfastError.is(error, "DIVERGED")).toBe(true);
    });

    row("a tool call id that a later turn uses again is another call", async () => {
      const log: unknown[] = [];
      const turns = [1, 2].map((n) => ({ calls: [{ name: "first", input: { n }, id: "same" }] }));
      const tools = { first: (input: unknown) => log.push(input) };
      const made = framework.agent({ turns: [...turns, { text: "done" }], tools });
      const id = newId();
      expect(await (await open()).run(id, made.run)).toBe("done");
      expect(log).toEqual([{ n: 1 }, { n: 2 }]);
    });

    row(
      "a tool that throws has that for its outcome: the model is told, and it is not called again",
      async () => {
        const log: string[] = [];
        const tools = {
          first: () => {
            log.push("first");
            throw new Error("no stock");
          },
          second: () => ({ ok: 2 }),
        };
        const crash = await crashIn("second", { ...twoTools, tools }, repeatable);
        expect(await crash.resume()).toBe("done");
        expect(log).toEqual(["first"]);
      },
    );

    row("parallel calls keep their keys", async () => {
      const turns = [
        {
          calls: [
            { name: "pay", input: { to: "alice" } },
            { name: "pay", input: { to: "bob" } },
          ],
        },
        { text: "done" },
      ];
      const options = { tools: { pay: { effect: "idempotent" as const } } };
      const tools = { pay: ({ to }: { to: string }) => ({ paid: to }) };
      const crash = await crashIn("pay", { turns, tools }, options);
      expect(await crash.resume()).toBe("done");
      const intents = (await (await open()).entries(crash.id)).filter((entry) => entry.kind === "intent");
      const keys = (to: string) =>
        new Set(intents.filter(({ input }) => (input as { to: string }).to === to).map(({ key }) => key));
      expect([keys("alice").size, keys("bob").size]).toEqual([1, 1]);
      expect(keys("alice")).not.toEqual(keys("bob"));
    });

    for (const how of ["run", "stream"] as const) {
      row(`a cancelled run makes no further call (${how})`, async () => {
        const hf = await open(repeatable);
        const id = newId();
        const calls: string[] = [];
        const tools = {
          ...twoTools.tools,
          first: async () => {
            calls.push("first");
            await hf.cancel(id, { by: "ana" });
            return { ok: 1 };
          },
          second: () => {
            calls.push("second");
            return { ok: 2 };
          },
        };
        const made = framework.agent({ ...twoTools, tools });
        await expect(hf.run(id, made[how])).rejects.toMatchObject({ code: "CANCELLED" });
        expect(calls).toEqual(["first"]);
        const asked = made.asked();
        expect(await hf.runs.get(id)).toMatchObject({ status: "cancelled" });
        await expect((await open(repeatable)).run(id, made[how])).rejects.toMatchObject({
          code: "CANCELLED",
        });
        expect([calls, made.asked()]).toEqual([["first"], asked]);
      });
    }

    row("a fenced worker's call result is not recorded", async () => {
      const [reached, goOn] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
      let calls = 0;
      const tools = {
        ...twoTools.tools,
        second: async () => {
          if (++calls > 1) return { by: "the next owner" };
          reached.resolve();
          await goOn.promise;
          return { by: "the one taken over from" };
        },
      };
      const made = framework.agent({ ...twoTools, tools });
      const id = newId();
      const first = await open(repeatable);
      const fenced = first.run(id, made.run).catch((error: unknown) => error);
      await reached.promise;
      await endLeases(db.url);
      const second = await open(repeatable);
      expect(await second.run(id, made.run)).toBe("done");
      goOn.resolve();
      expect(HoldfastError.is(await fenced)).toBe(true);
      const outputs = (await second.entries(id)).flatMap((entry) =>
        entry.kind === "observation" && entry.name === "second" ? [JSON.stringify(entry.output)] : [],
      );
      expect(outputs).toHaveLength(1);
      expect(outputs[0]).toContain("the next owner");
    });

    policyRows({ row, open, newId, agent: (agent) => framework.agent(agent) });
    budgetRows({ row, open, newId, agent: (agent) => framework.agent(agent) });
    forkRows({ row, open, newId, agent: (agent) => framework.agent(agent) });
    replayRows({ row, open, newId, agent: (agent) => framework.agent(agent) });
  });
}

type How = "run" | "stream";

/** Moves the time: every worker's leases are over. */
async function endLeases(url: string): Promise<void> {
  const { default: pg } = await import("pg");
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query("update holdfast.workers set until = now() - interval '1 second'");
  await client.end();
}
