import { createInterface } from "node:readline";
import { HoldfastError, once, openHoldfast, step } from "@holdfast/core";

/** Pays by wire, and waits for a word in the middle of that: its call is out. argv: database, run id, lease in seconds */
const [database, runId, leaseSeconds] = process.argv.slice(2) as [string, string, string];
const say = (at: string, more: object = {}) => process.stdout.write(`${JSON.stringify({ at, ...more })}\n`);
const words = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

const hf = await openHoldfast({ database, leaseSeconds: Number(leaseSeconds) });
try {
  const value = await hf.run(runId, async () => {
    const wired = await once("wire", async () => {
      say("called");
      await words.next();
      say("wired");
      return "wired by the zombie";
    });
    await step("tell", () => say("told"));
    return wired;
  });
  say("value", { value });
} catch (error) {
  say("refused", { code: HoldfastError.is(error) ? error.code : String(error) });
}
await hf.close({ graceSeconds: 0 });
process.exit(0);
