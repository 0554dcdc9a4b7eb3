import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { usd } from "@holdfast/core";
import { open } from "./agent.ts";
import { payments } from "./payments.ts";

const [runId = `governance-${Date.now()}`] = process.argv.slice(2);
const folder = mkdtempSync(join(tmpdir(), "payments-"));
const hf = await open();
const ana = { by: "ana" };

say("A worker begins. Policy denies the first call, and the worker is killed as the model hears of it.");
await worker("turn 1");

say(
  "The next one goes on from there. The second call is asked about: the run waits, and its worker is killed.",
);
await worker("wait");

say("Another one comes to the same question, and exits.");
await worker();

say("Ana approves. The next worker is killed in the refund: the money has moved, and nobody has noted it.");
await approve();
await worker("refund 42");

say("The next one repeats that refund with its key, comes to the second one, waits, and is killed.");
await worker("wait");

say("Ana approves that one, too. The budget has not enough for it: the run waits for more, and is killed.");
await approve();
await worker("wait");

say("A worker that comes meanwhile waits as well.");
await worker();

say("Ana raises the budget. The next worker is killed in the second refund, and one more ends the run.");
await hf.raiseBudget(runId, { to: usd(2000), ...ana });
await worker("refund 43");
await worker();

say("What the ledger says of it:");
for (const entry of await hf.entries(runId)) {
  if (entry.kind === "refusal") console.log(`    ${entry.name} was refused: ${entry.reason}`);
  if (entry.kind === "question") console.log(`    asked: ${entry.text} ${JSON.stringify(entry.input)}`);
  if (entry.kind === "answer") console.log(`    ${entry.by}: ${entry.says}`);
  if (entry.kind === "takeover") console.log(`    taken over, after: ${entry.after}`);
  if (entry.kind === "intent") console.log(`    ${entry.name} goes out`);
}
const { paid } = payments(folder);
say(`Paid: ${paid().join(" ")}`);
await hf.close();
if (paid().length !== 2) process.exitCode = 1;

/** A worker in a process of its own, until that ends. */
async function worker(killedAt = ""): Promise<void> {
  const program = fileURLToPath(new URL("worker.ts", import.meta.url));
  const args = [...process.execArgv, program, runId, folder, killedAt];
  const child = spawn(process.execPath, args, { stdio: "inherit" });
  const [, signal] = await once(child, "close");
  if (signal) console.log(`    killed: ${signal}`);
}

async function approve(): Promise<void> {
  for (const { id } of await hf.questions.list({ runId }))
    await hf.questions.answer(id, { approve: true, ...ana });
}

function say(text: string): void {
  console.log(`\n${text}`);
}
