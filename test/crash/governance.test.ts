import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { type LedgerEntry, openHoldfast, usd } from "@holdfast/core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { freshDatabase } from "../fresh-database.ts";

let database: Awaited<ReturnType<typeof freshDatabase>>;
beforeAll(async () => {
  database = await freshDatabase();
});
afterAll(async () => {
  await database.drop();
});

const main = fileURLToPath(new URL("../../examples/governance/src/main.ts", import.meta.url));
const runId = "governance";

test("policy, a person and a budget each stop an agent, whose workers are killed around each wait", async () => {
  const args = ["--conditions=@holdfast/source", "--no-warnings", main, runId];
  const env = { ...process.env, DATABASE_URL: database.url };
  const { stdout } = await promisify(execFile)(process.execPath, args, { env });

  // Ten processes, of which six are killed: at the refusal, in both refunds, and at each of three waits.
  const happened = stdout.split("\n").filter((line) => /^ {4}(waits|killed|ends)/.test(line));
  expect(happened.map((line) => line.trim())).toEqual([
    "killed: SIGKILL",
    "waits for approval",
    "killed: SIGKILL",
    "waits for approval",
    "killed: SIGKILL",
    "waits for approval",
    "killed: SIGKILL",
    "waits for budget",
    "killed: SIGKILL",
    "waits for budget",
    "killed: SIGKILL",
    "ends: Both orders are refunded. The account I could not delete.",
  ]);
  expect(stdout.split("\n").find((line) => line.startsWith("Paid:"))).toMatch(/"42".*"43"/);

  const hf = await openHoldfast({ database: database.url });
  try {
    const entries = await hf.entries(runId);
    expect(entries.flatMap(told)).toEqual([
      "refused delete_account: Nothing is deleted by an agent.",
      'asks about {"orderId":"42","cents":4200}', // once, however many workers came by
      "ana: approved",
      "issue_refund 42",
      "issue_refund 42", // again, under the same key
      'asks about {"orderId":"43","cents":90000}',
      "ana: approved",
      "ana: raiseBudget",
      "issue_refund 43", // not before
      "issue_refund 43",
    ]);
    const keys = entries.flatMap((entry) =>
      entry.kind === "intent" && entry.call === "tool" ? [entry.key] : [],
    );
    expect(new Set(keys).size).toBe(2);
    const { status, budget } = await hf.runs.get(runId);
    expect({ status, held: budget.held, cap: budget.cap }).toEqual({
      status: "succeeded",
      held: 0,
      cap: usd(2000),
    });
    // Both refunds, each once, and what the model was asked: once more than it has answered.
    const { cost, calls } = Object.values(budget.models)[0] ?? { cost: 0, calls: 0 };
    expect(calls).toBe(5);
    expect(budget.spent).toBe(usd(942) + cost);
  } finally {
    await hf.close();
  }
});

/** The entries that say what stood between the model and its tools, and what went out to them. */
function told(entry: LedgerEntry): string[] {
  if (entry.kind === "refusal") return [`refused ${entry.name}: ${entry.reason}`];
  if (entry.kind === "question") return [`asks about ${JSON.stringify(entry.input)}`];
  if (entry.kind === "answer") return [`${entry.by}: ${entry.says}`];
  if (entry.kind === "command") return [`${entry.by}: ${entry.command}`];
  if (entry.kind === "intent" && entry.call === "tool")
    return [`${entry.name} ${(entry.input as { orderId: string }).orderId}`];
  return [];
}
