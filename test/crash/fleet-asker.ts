import { ask, current, openHoldfast } from "@holdfast/core";

/** A worker of the fleet, in a process of its own: its agent asks how much to pay, and policy asks whether it may. */
const [database = "", name = ""] = process.argv.slice(2);
const say = (at: string, more: object = {}) =>
  process.stdout.write(`${JSON.stringify({ at, worker: name, ...more })}\n`);

const hf = await openHoldfast({ database, leaseSeconds: 2, policy: [{ tool: "pay", then: "ask" }] });
hf.agent("payer", async () => {
  say("begins");
  const cents = await ask<number>({ question: "How much?" });
  return await current()?.step({ kind: "tool", name: "pay", input: { cents } }, () => {
    say("paid", { cents });
    return { paid: cents, by: name };
  });
});
await hf.worker({ concurrency: 1 }).start();
say("working");
