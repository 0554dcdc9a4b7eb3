// A process that works on a run for ever: on the database and the run it is given, with leases of so many seconds.
import { once, openHoldfast, step } from "../src/index.ts";

const [, , database, runId = "", leaseSeconds] = process.argv;
setInterval(() => {}, 60_000); // what it waits for keeps no process alive
const holdfast = await openHoldfast({ database, leaseSeconds: Number(leaseSeconds) });
await holdfast.run(runId, async () => {
  await once("charge", () => "charged");
  await step(
    "look",
    () => {
      process.stdout.write("under way\n");
      return new Promise(() => {});
    },
    { effect: "read" },
  );
});
