// A worker that is killed in the middle of a hundred runs: on the database that it is given.
import { openHoldfast, step } from "@holdfast/core";

const holdfast = await openHoldfast({ database: process.argv[2] });
let underWay = 0;
holdfast.agent("recover", () =>
  step(
    "look",
    () => {
      if (++underWay === 100) process.stdout.write("under way\n");
      return new Promise(() => {});
    },
    { effect: "read" },
  ),
);
await holdfast.worker({ concurrency: 100 }).start();
