import { appendFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { type Holdfast, idempotencyKey, once, sleep, step } from "@holdfast/core";

/** How often each run touches the world, in each of three ways. */
export const TIMES = 3;
export const AGENT = "chaos";

/** The world outside: whatever was done stands in files, also when whoever did it is gone. */
export const effectsIn = (folder: string) => ({
  once: join(folder, "once"),
  idempotent: join(folder, "idempotent"),
});

/** An agent that looks, pays once and refunds with a key, again and again, and takes its time over it. */
export function registerAgent(holdfast: Holdfast, folder: string) {
  const files = effectsIn(folder);
  return holdfast.agent(AGENT, async (n: number, { runId }) => {
    for (let i = 0; i < TIMES; i++) {
      await step(`look ${i}`, () => pause(10 + Math.random() * 150), { effect: "read" });
      await once(`wire ${i}`, async () => {
        appendFileSync(files.once, `${runId} wire ${i}\n`);
        await pause(Math.random() * 60);
        return i;
      });
      await step(
        `refund ${i}`,
        async () => {
          appendFileSync(files.idempotent, `${runId} refund ${i} ${idempotencyKey()}\n`);
          await pause(Math.random() * 60);
        },
        { effect: "idempotent" },
      );
      if (n % 10 === i) await sleep(1_200);
    }
    return n;
  });
}
