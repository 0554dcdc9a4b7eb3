import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { usd } from "@holdfast/core";
import { open } from "./agent.ts";
import { payments } from "./payments.ts";

const runId = `governance-${Date.now()}`;
const folder = mkdtempSync(join(tmpdir(), "payments-"));
const hf = await open();
const ana = { by: "ana" };

say(
  "A worker begins. Policy denies the first call, asks about the second. It is killed once the question is seen, if it has not parked and gone by then.",
);
const first = worker();
while ((await questions()).length === 0) await pause(20);
first.kill("SIGKILL");
await once(first, "close");

say("Another worker: the same question, and it parks.");
await ended(worker());

say("Ana approves. The next worker is killed in the refund: the money has moved, and nobody has noted it.");
await approve();
await ended(worker("42"));

say("The next one repeats that refund with its key, comes to the second one, asks, and parks.");
await ended(worker());

say("Ana approves that one, too. The budget has not enough for it: the run waits for more.");
await approve();
await ended(worker());

say("A worker that comes meanwhile waits as well.");
await ended(worker());

say("Ana raises the budget. The next worker is killed in the second refund, and one more ends the run.");
await hf.raiseBudget(runId, { to: usd(2000), ...ana });
await ended(worker("43"));
await ended(worker());

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

function worker(killedIn = ""): ReturnType<typeof spawn> {
  const program = fileURLToPath(new URL("worker.ts", import.meta.url));
  return spawn(process.execPath, [...process.execArgv, program, runId, folder, killedIn], {
    stdio: "inherit",
  });
}

async function ended(child: ReturnType<typeof spawn>): Promise<void> {
  const [, signal] = await once(child, "close");
  if (signal) console.log(`    killed: ${signal}`);
}

function questions() {
  return hf.questions.list({ runId }).catch(() => []); // until the run is there
}

async function approve(): Promise<void> {
  for (const { id } of await questions()) await hf.questions.answer(id, { approve: true, ...ana });
}

function say(text: string): void {
  console.log(`\n${text}`);
}
