import {
  ask,
  type Holdfast,
  HoldfastError,
  type HoldfastOptions,
  idempotencyKey,
  tx,
  usd,
} from "@holdfast/core";
import { withDurability } from "@holdfast/vercel-ai";
import * as plain from "ai";
import { z } from "zod";
import { type Scripts, scripted } from "./model.ts";
import type { CountingWorld, World } from "./world.ts";

const ai = withDurability(plain);

/** What a governed run's tools leave in the ledger's own database. */
export const BOOKING = /* sql */ `create table booking (run text not null, booked text not null)`;

/** What stands between the agent and its world. Each run's tenant has a budget that nobody else spends from. */
export const governed = (world: Pick<CountingWorld, "outcomeOf">): HoldfastOptions => ({
  tools: {
    refund: { effect: "idempotent", cost: () => 300 },
    book: { effect: "transaction" },
    wire: {
      effect: "once",
      cost: () => 500,
      reconcile({ key }) {
        const done = world.outcomeOf(key);
        return done === undefined ? "unknown" : { done };
      },
    },
  },
  policy: [
    { name: "no-closing", tool: "close", then: "deny", reason: "Nothing is closed by an agent." },
    { name: "wires", tool: "wire", then: "ask", reason: "It moves money." },
    { name: "few-refunds", tool: "refund", limit: { atMost: 1, per: "day", tag: "tenant:*" }, then: "deny" },
  ],
  policyVersion: "1",
  budget: { perRun: usd(0.003), onLow: "park" },
  budgets: [{ scope: { tag: "tenant:*" }, per: "month", cap: usd(1) }],
  prices: { "*": { inputPerMillion: 0, outputPerMillion: usd(10), maxOutputTokens: 50 } },
});

const scripts: Scripts = {
  clerk: [
    {
      calls: [
        { name: "close", input: { order: "42" } },
        { name: "refund", input: { order: "42" } },
        { name: "book", input: { order: "42" } },
      ],
    },
    {
      calls: [
        { name: "wire", input: { order: "43" } },
        { name: "wire", input: { order: "44" } },
        { name: "refund", input: { order: "45" } },
      ],
    },
    // The budget is too low for this one until somebody raises it.
    {
      calls: [
        { name: "wire", input: { order: "46" } },
        { name: "wire", input: { order: "47" } },
        { name: "wire", input: { order: "48" } },
      ],
    },
    { text: "It is settled." },
  ],
};

/** An agent that is denied, asked about, limited, out of budget, and that asks a person itself. */
export async function settleWithLeave(world: World) {
  const inputSchema = z.object({ order: z.string() });
  const acting = (name: string) =>
    plain.tool({ inputSchema, execute: ({ order }) => world.act(name, order, idempotencyKey()) });
  const book = plain.tool({
    inputSchema,
    async execute({ order }) {
      await tx().query("insert into booking (run, booked) values ($1, $2)", [idempotencyKey(), order]);
      return `booked ${order}`;
    },
  });
  const { steps, text } = await ai.generateText({
    model: scripted(scripts, world)("clerk"),
    tools: { close: acting("close"), refund: acting("refund"), wire: acting("wire"), book },
    prompt: "Settle the orders.",
    stopWhen: plain.isStepCount(9),
  });
  const grade = await ask({ question: "How was it?", schema: z.int() });
  const outputs = steps.flatMap(({ content }) =>
    content.flatMap((part) => {
      if (part.type === "tool-result") return [{ of: part.toolName, is: part.output }];
      return part.type === "tool-error" ? [{ of: part.toolName, is: codeOf(part.error) }] : [];
    }),
  );
  return { text, grade, outputs };
}

const codeOf = (error: unknown) => (HoldfastError.is(error) ? error.code : String(error));

export type SettledWithLeave = Awaited<ReturnType<typeof settleWithLeave>>;

/** Runs until the run ends, and gives it all that it waits for. Throws what stops it. */
export async function settle(
  hf: Holdfast,
  runId: string,
  world: World,
  outcomeOf: CountingWorld["outcomeOf"],
): Promise<SettledWithLeave> {
  const by = { by: "ana" };
  for (;;) {
    try {
      const options = { tags: [`tenant:${runId}`], onLeased: "wait" } as const;
      return await hf.run(runId, () => settleWithLeave(world), options);
    } catch (error) {
      if (!HoldfastError.is(error, "RUN_WAITING")) throw error;
      if (error.details.waitingOn === "budget") await hf.raiseBudget(runId, { to: usd(0.01), ...by });
      for (const { id, asks } of await hf.questions.list({ runId })) {
        await hf.questions.answer(id, asks === "input" ? { value: 7, ...by } : { approve: true, ...by });
      }
      for (const { step, key } of await hf.doubts.list({ runId })) {
        const happened = outcomeOf(key);
        await hf.doubts.resolve(
          runId,
          step,
          happened === undefined ? { didNotHappen: true } : { happened },
          by,
        );
      }
    }
  }
}
