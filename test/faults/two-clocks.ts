import { createInterface } from "node:readline";
import { HoldfastError, now, once, openHoldfast } from "@holdfast/core";

/** Works on a run by a clock that is off, and stops for a word before its last effect. argv: database, run id, ms */
const [database, runId, offMs] = process.argv.slice(2) as [string, string, string];
const say = (at: string, more: object = {}) => process.stdout.write(`${JSON.stringify({ at, ...more })}\n`);
const words = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

// A process cannot set its machine's clock: what the code asks instead is told the wrong time, in all of its threads
// (see --import in the test).
say("clock", { now: Date.now(), offMs: Number(offMs) });
const hf = await openHoldfast({ database, leaseSeconds: 1 });
try {
  const value = await hf.run(runId, async () => {
    const at = now();
    await once("first", () => say("first"));
    say("working");
    await words.next();
    await once("second", () => say("second"));
    return at;
  });
  say("value", { value });
} catch (error) {
  say("refused", { code: HoldfastError.is(error) ? error.code : String(error) });
}
await hf.close();
process.exit(0);
