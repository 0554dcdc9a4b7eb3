import { createInterface } from "node:readline";
import { HoldfastError, openHoldfast, step } from "@holdfast/core";

/** One of two processes that race for the same hundred runs. argv: database */
const [database] = process.argv.slice(2) as [string];
const say = (at: string, more: object = {}) => process.stdout.write(`${JSON.stringify({ at, ...more })}\n`);
const words = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

const hf = await openHoldfast({ database });
await hf.run(`warm-${process.pid}`, () => step("warm", () => 0)); // the heart beats from here on
say("ready");
await words.next();

const outcomes: { runId: string; worked: boolean; what: string }[] = [];
for (let i = 0; i < 100; i++) {
  const runId = `race-${i}`;
  let worked = false;
  const work = () =>
    step("effect", () => {
      worked = true;
      return process.pid;
    });
  const what = await hf.run(runId, work, { onLeased: i % 2 ? "wait" : "refuse" }).then(
    () => "value",
    (error: unknown) => (HoldfastError.is(error) ? error.code : String(error)),
  );
  outcomes.push({ runId, worked, what });
  await meet(i);
}
say("done", { outcomes });
await hf.close();
process.exit(0);

/** Both racers leave round i together: an advisory lock pair would do; a run that both have to see finished is simpler. */
async function meet(i: number): Promise<void> {
  await hf.run(`race-${i}`, () => 0, { onLeased: "wait" });
}
