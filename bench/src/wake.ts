import { openHoldfast, step } from "@holdfast/core";
import { Logger, makeWorkerUtils, run } from "graphile-worker";
import { freshDatabase } from "./database.ts";
import { oneByOne, print, takeTurns } from "./measure.ts";

/** How long an idle fleet takes from the call that starts a run to the beginning of its first step. */
export async function benchWake(url: string): Promise<void> {
  const database = await freshDatabase(url, "wake");
  const [starter, holdfast] = [await openHoldfast({ database }), await openHoldfast({ database })];
  let begun = () => {};
  const agent = starter.agent("wake", () => {});
  holdfast.agent("wake", () => step("first", () => begun(), { effect: "read" }));
  await holdfast.worker().start();

  const connectionString = await freshDatabase(url, "wake_graphile");
  const utils = await makeWorkerUtils({ connectionString });
  await utils.migrate();
  const runner = await run({
    connectionString,
    noHandleSignals: true,
    logger: new Logger(() => () => {}),
    taskList: { wake: async () => begun() },
  });

  const idle = async (start: () => Promise<unknown>) => {
    const first = new Promise<void>((resolve) => {
      begun = resolve;
    });
    await Promise.all([start(), first]);
  };
  const rows = await takeTurns(
    [
      { name: "holdfast", block: () => oneByOne(40, () => idle(() => starter.start(agent, undefined))) },
      {
        name: "graphile-worker 0.18.0",
        block: () => oneByOne(40, () => idle(() => utils.addJob("wake", {}))),
      },
    ],
    5,
  );
  print("an idle worker, from the call of start to the first step", rows, {
    "p50 (at most 20 ms)": `${rows[0]?.p50Ms?.toFixed(1)} ms`,
  });
  await runner.stop();
  await utils.release();
  await Promise.all([starter.close(), holdfast.close()]);
}
