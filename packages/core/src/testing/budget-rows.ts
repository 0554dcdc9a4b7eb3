import { expect } from "vitest";
import { usd } from "../budget/money.ts";
import { HoldfastError } from "../errors.ts";
import type { Holdfast } from "../holdfast.ts";
import { must } from "../must.ts";
import type { HoldfastOptions } from "../options.ts";
import type { ContractAgent, ContractBench } from "./contract-bench.ts";

/** What the rows about budgets need of the contract they belong to. */
export interface Rows {
  readonly row: (title: string, body: () => Promise<void>) => void;
  readonly agent: ContractBench["agent"];
  readonly open: (options: HoldfastOptions) => Promise<Holdfast>;
  readonly newId: () => string;
}

/** A token of output costs ten micro-dollars, one of input nothing, whatever the model is called. */
const prices = { "*": { inputPerMillion: 0, outputPerMillion: usd(10) } };

const twoTurns = (log: string[]): ContractAgent => ({
  turns: [{ calls: [{ name: "pay", input: { to: "alice" } }] }, { text: "done" }],
  tools: { pay: ({ to }: { to: string }) => log.push(to) },
});

/** What budgets ask of an adapter. Nothing is known of how many tokens the scripted model says it has used. */
export function budgetRows({ row, agent, open, newId }: Rows): void {
  for (const how of ["run", "stream"] as const) {
    row(`an exhausted budget refuses before the call (${how})`, async () => {
      const log: string[] = [];
      const made = agent(twoTurns(log));
      const hf = await open({ prices, tools: { pay: { effect: "idempotent", cost: () => usd(1) } } });
      const id = newId();
      const error = await hf.run(id, made[how], { budget: usd(0.9) }).catch((error: unknown) => error);
      expect(HoldfastError.is(error, "BUDGET_EXHAUSTED")).toBe(true);
      expect(log).toEqual([]);
      expect(made.asked()).toBe(1);
      const { status, budget } = await hf.runs.get(id);
      expect({ status, held: budget.held }).toEqual({ status: "failed", held: 0 });
      expect(budget.spent).toBeGreaterThan(0);
    });

    row(`an exhausted budget refuses before the model is asked (${how})`, async () => {
      const made = agent(twoTurns([]));
      const hf = await open({ prices });
      const error = await hf.run(newId(), made[how], { budget: 10 }).catch((error: unknown) => error);
      expect(HoldfastError.is(error, "BUDGET_EXHAUSTED")).toBe(true);
      expect(made.asked()).toBe(0);
    });

    row(`a run that waits for its budget goes on when it is raised (${how})`, async () => {
      const log: string[] = [];
      const made = agent(twoTurns(log));
      const options: HoldfastOptions = {
        prices,
        tools: { pay: { effect: "once", cost: () => usd(1) } },
        budget: { perRun: usd(0.9), onLow: "park" },
      };
      const id = newId();
      const waiting = await (await open(options)).run(id, made[how]).catch((error: unknown) => error);
      expect(HoldfastError.is(waiting, "RUN_WAITING") && waiting.details.waitingOn).toBe("budget");
      const hf = await open(options);
      await hf.raiseBudget(id, { to: usd(3), by: "ana" });
      expect(await hf.run(id, made[how])).toBe("done");
      expect(log).toEqual(["alice"]);
      expect((await hf.runs.get(id)).budget).toMatchObject({ cap: usd(3), held: 0 });
    });

    row(`what a run has spent is counted once, however often it is run (${how})`, async () => {
      const made = agent(twoTurns([]));
      const options: HoldfastOptions = { prices, tools: { pay: { effect: "once", cost: () => usd(0.1) } } };
      const hf = await open(options);
      const id = newId();
      await hf.run(id, made[how], { budget: usd(2) });
      const { budget } = await hf.runs.get(id);
      const [model] = Object.values(budget.models);
      const output = must(model, "what the model has used").outputTokens;
      expect(output).toBeGreaterThan(0);
      expect(budget).toMatchObject({ spent: usd(0.1) + output * 10, held: 0, estimated: 0 });
      await (await open(options)).run(id, made[how]);
      expect((await hf.runs.get(id)).budget).toEqual(budget);
    });
  }
}
