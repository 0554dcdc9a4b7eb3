import { expect } from "vitest";
import { HoldfastError } from "../errors.ts";
import type { Holdfast } from "../holdfast.ts";
import { must } from "../must.ts";
import type { HoldfastOptions } from "../options.ts";
import type { ContractAgent, ContractBench } from "./contract-bench.ts";

/** What the rows need of the contract that they are part of. */
export interface Rows {
  readonly row: (title: string, body: () => Promise<void>) => void;
  readonly open: (options?: HoldfastOptions) => Promise<Holdfast>;
  readonly newId: () => string;
  readonly agent: ContractBench["agent"];
}

/** The rows of the adapter contract that are about policy and what it asks. */
export function policyRows({ row, open, newId, agent }: Rows): void {
  const asking = { policy: [{ name: "money", tool: "pay", then: "ask", reason: "it moves money" }] } as const;

  /** An agent that looks and pays in one answer, and what its tools were called with. */
  function paying() {
    const called: unknown[] = [];
    const note = (name: string) => (input: unknown) => {
      called.push([name, input]);
      return { ok: name };
    };
    const calls = [
      { name: "look", input: { n: 1 } },
      { name: "pay", input: { cents: 500 } },
    ];
    const turns = [{ calls }, { text: "done" }];
    const made: ContractAgent = { turns, tools: { look: note("look"), pay: note("pay") } };
    return { made: agent(made), called };
  }

  /** A tool, and what it was called with. */
  function counting() {
    const calls: unknown[] = [];
    return { calls, does: (input: unknown) => ({ seen: calls.push(input) }) };
  }

  /** The run's one open question, asked by a Holdfast of its own. */
  async function questionOf(id: string) {
    const hf = await open();
    const [question, ...more] = await hf.questions.list({ runId: id });
    expect(more).toEqual([]);
    return { hf, question: must(question, "a question") };
  }

  for (const how of ["run", "stream"] as const) {
    row(`a model asks a person, and is told the answer once (${how})`, async () => {
      const { calls, does } = counting();
      const turns = [
        { calls: [{ name: "requestInput", input: { question: "Which order?" } }] },
        { calls: [{ name: "look", input: { n: 1 } }] },
        { text: "done" },
      ];
      const made = agent({ turns, tools: { look: does }, requestInput: { by: ["ana"], expiresIn: "2d" } });
      const id = newId();
      await expect((await open()).run(id, made[how])).rejects.toThrow("(RUN_WAITING)");
      const { hf, question } = await questionOf(id);
      expect(question).toMatchObject({ asks: "input", question: "Which order?", of: ["ana"] });
      expect(question.expiresAt).toBeInstanceOf(Date);
      await hf.questions.answer(question.id, { value: "A-7", by: "ana" });
      expect(await (await open()).run(id, made[how])).toBe("done");
      expect(made.heard().split("A-7")).toHaveLength(2);
      expect(calls).toHaveLength(1);
      expect(await hf.questions.list({ runId: id })).toEqual([]);
      expect(made.asked()).toBe(3);
    });

    row(`a refused call never reaches the tool, and the model is told why (${how})`, async () => {
      const { made, called } = paying();
      const policy = [{ tool: "pay", then: "deny", reason: "the till is closed" }] as const;
      const id = newId();
      expect(await (await open({ policy })).run(id, made[how])).toBe("done");
      expect(called).toEqual([["look", { n: 1 }]]);
      expect(made.heard()).toContain("the till is closed");
      // A replay refuses the same way, whatever the policy says by then.
      expect(await (await open()).run(id, made[how])).toBe("done");
      expect(called).toHaveLength(1);
      expect(made.asked()).toBe(2);
    });

    row(`an ask waits, survives a restart, and goes on when answered (${how})`, async () => {
      const { made, called } = paying();
      const id = newId();
      const first = await open(asking);
      const error = await first.run(id, made[how]).catch((error: unknown) => error);
      expect(HoldfastError.is(error, "RUN_WAITING") && error.details.waitingOn).toBe("approval");
      expect(called).toEqual([["look", { n: 1 }]]); // it was allowed, and has settled
      await first.close({ graceSeconds: 0 });

      const { hf, question } = await questionOf(id);
      expect(question).toMatchObject({ asks: "approval", name: "pay", input: { cents: 500 } });
      await expect((await open(asking)).run(id, made[how])).rejects.toThrow("(RUN_WAITING)");
      await hf.questions.answer(question.id, { approve: true, by: "ana" });
      expect(await (await open(asking)).run(id, made[how])).toBe("done");
      expect(called).toEqual([
        ["look", { n: 1 }],
        ["pay", { cents: 500 }],
      ]);
      expect(made.asked()).toBe(2);
    });
  }

  row("a call that is not approved never reaches the tool, and the model is told who said so", async () => {
    const { made, called } = paying();
    const id = newId();
    await (await open(asking)).run(id, made.run).catch(() => {});
    const { hf, question } = await questionOf(id);
    await hf.questions.answer(question.id, { approve: false, by: "ana", comment: "wrong customer" });
    expect(await (await open(asking)).run(id, made.run)).toBe("done");
    expect(called).toEqual([["look", { n: 1 }]]);
    expect(made.heard()).toContain("ana did not approve it: wrong customer");
  });

  row("a call that is approved with other arguments is made with those", async () => {
    const { made, called } = paying();
    const id = newId();
    await (await open(asking)).run(id, made.run).catch(() => {});
    const { hf, question } = await questionOf(id);
    await hf.questions.answer(question.id, { approve: true, input: { cents: 400 }, by: "ana" });
    expect(await (await open(asking)).run(id, made.run)).toBe("done");
    expect(called.at(-1)).toEqual(["pay", { cents: 400 }]);
  });
}
