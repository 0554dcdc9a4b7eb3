import { openHoldfast, usd } from "@holdfast/core";

// #region options
const hf = await openHoldfast({
  budget: { perRun: usd(2), onLow: "clamp" },
  budgets: [
    { scope: { tag: "tenant:*" }, per: "day", cap: usd(50) },
    { scope: { agent: "support" }, per: "hour", cap: { tokens: 5_000_000, calls: 10_000 } },
  ],
  prices: {
    "my-model": { inputPerMillion: usd(1), outputPerMillion: usd(4), maxOutputTokens: 8_192 },
    "*": { inputPerMillion: usd(15), outputPerMillion: usd(75) },
  },
  tools: {
    issue_refund: { effect: "idempotent", cost: (input: { cents: number }) => usd(input.cents / 100) },
  },
});
// #endregion

const work = async () => "done";

// #region run
await hf.run("order-42", work, { budget: usd(1), tags: ["tenant:acme"], agent: "support" });
const { budget } = await hf.runs.get("order-42");
console.log(budget.cap, budget.spent, budget.held, budget.left, budget.models);
// #endregion

// #region raise
await hf.raiseBudget("order-42", { to: usd(5), by: "ana" });
await hf.run("order-42", work);
// #endregion
