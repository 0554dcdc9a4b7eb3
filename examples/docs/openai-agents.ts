import { idempotencyKey, openHoldfast } from "@holdfast/core";
import { PostgresSession, withDurability } from "@holdfast/openai-agents";
// #region wrap
import { Agent, Runner, run, tool } from "@openai/agents";
import pg from "pg";
import { z } from "zod";

withDurability(Runner); // once in a process, before the first run
// #endregion

const hf = await openHoldfast({
  // #region effects
  tools: {
    "lookup_*": { effect: "read" },
    issue_refund: { effect: "idempotent" },
    // what is not named here is once
  },
  // #endregion
});

// #region tool
const issue_refund = tool({
  name: "issue_refund",
  description: "Pay money back to the customer.",
  parameters: z.object({ orderId: z.string(), cents: z.int().positive() }),
  execute: async (input) => {
    const response = await fetch("https://payments.example/refunds", {
      method: "POST",
      headers: { "content-type": "application/json", "idempotency-key": idempotencyKey() },
      body: JSON.stringify(input),
    });
    return (await response.json()) as { id: string };
  },
});
// #endregion

const instructions = "You answer tickets.";
// #region run
const billing = new Agent({ name: "Billing", instructions, tools: [issue_refund] });
const triage = new Agent({ name: "Triage", instructions, handoffs: [billing] });

const answer = await hf.run("ticket-42", async () => {
  const result = await run(triage, "Refund order 42.");
  return result.finalOutput;
});
// #endregion
console.log(answer);

// #region stream
const { value, done } = hf.stream("chat-7", () => run(triage, "Where is order 42?", { stream: true }));
const result = await value;
for await (const piece of result.toTextStream()) process.stdout.write(piece);
await done; // the run has ended, and all of it is in the ledger
// #endregion

const pool = new pg.Pool();
// #region session
const session = new PostgresSession({ sessionId: "customer-7", pool });
await hf.run("ticket-43", async () => {
  const { finalOutput } = await run(triage, "And order 43?", { session });
  return finalOutput;
});
// #endregion

const wire = tool({
  name: "wire",
  description: "Wire money.",
  parameters: z.object({ cents: z.int().positive() }),
  needsApproval: async (_context, { cents }) => cents > 50_000,
  execute: ({ cents }) => `wired ${cents} cents`,
});
const treasury = new Agent({ name: "Treasury", instructions, tools: [wire] });
// #region approval
await hf.run("transfer-9", () => run(treasury, "Wire 900.00.")).catch(() => {}); // RUN_WAITING
const [question] = await hf.questions.list({ runId: "transfer-9" });
if (question) await hf.questions.answer(question.id, { approve: true, by: "ana" });
await hf.run("transfer-9", () => run(treasury, "Wire 900.00.")); // here, or in another process
// #endregion

// #region hosted
withDurability(Runner, { hosted: { web_search: "read", file_search: "read" } });
// #endregion
await hf.close();
