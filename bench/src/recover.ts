import { spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { openHoldfast, step } from "@holdfast/core";
import { freshDatabase } from "./database.ts";
import { median } from "./measure.ts";

/** What is left to do of each run: its one step is made again. */
const REMAINING_MS = 200;

/** How long a hundred runs of a worker that is killed take to be done elsewhere, beyond what is left to do of them. */
export async function benchRecover(url: string): Promise<void> {
  const database = await freshDatabase(url, "recover");
  const holdfast = await openHoldfast({ database });
  const agent = holdfast.agent("recover", () => step("look", () => pause(REMAINING_MS), { effect: "read" }));
  const beyond: number[] = [];
  for (let i = 0; i < 3; i++) {
    const runs = await Promise.all(Array.from({ length: 100 }, () => holdfast.start(agent, undefined)));
    const file = fileURLToPath(new URL("./recover-worker.ts", import.meta.url));
    const worker = spawn(
      process.execPath,
      ["--conditions=@holdfast/source", "--no-warnings", file, database],
      {
        stdio: ["ignore", "pipe", "inherit"],
      },
    );
    await once(worker.stdout, "data");
    const standby = holdfast.worker({ concurrency: 100 });
    await standby.start();
    const killed = performance.now();
    worker.kill("SIGKILL");
    await Promise.all(runs.map((run) => run.result()));
    beyond.push(performance.now() - killed - REMAINING_MS);
    await standby.stop();
  }
  await holdfast.close();
  console.log("\n100 runs of a worker that is killed (graceSeconds 1, the default)");
  console.log(
    `  → all done, beyond what was left to do (at most 2 s): ${(median(beyond) / 1000).toFixed(2)} s`,
  );
}
