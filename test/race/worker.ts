import { createInterface } from "node:readline";
import { HoldfastError, openHoldfast, step } from "@holdfast/core";

/*
 * One of two processes that want the same run.
 * argv: database, run id, "refuse" or "wait", lease in seconds, where it stops for a word: "", "intent", "call"
 */
const [database, runId, onLeased, leaseSeconds, stopsAt] = process.argv.slice(2) as [
  string,
  string,
  "refuse" | "wait",
  string,
  string,
];
const say = (at: string, more: object = {}) =>
  process.stdout.write(`${JSON.stringify({ at, pid: process.pid, ...more })}\n`);
const words = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

const hf = await openHoldfast({ database, leaseSeconds: Number(leaseSeconds) });
say("ready");
await words.next();
try {
  const value = await hf.run(
    runId,
    async () => {
      await step("first", () => say("first"), { effect: "once" });
      if (stopsAt === "intent") {
        say("before the intent");
        await words.next();
      }
      const done = await step(
        "second",
        async () => {
          say("called");
          if (stopsAt === "call") await words.next();
          return process.pid;
        },
        { effect: "idempotent" },
      );
      return done;
    },
    { onLeased },
  );
  say("value", { value });
} catch (error) {
  say("refused", { code: HoldfastError.is(error) ? error.code : String(error) });
}
await hf.close();
process.exit(0);
