import { HoldfastError } from "@holdfast/core";
import { agent, open } from "./agent.ts";

/** A process that works on the run until it ends, waits, or is killed: for real, where it reaches `killedAt`. */
const [runId = "", folder = "", killedAt] = process.argv.slice(2);
const reach = (point: string) => {
  if (point === killedAt) process.kill(process.pid, "SIGKILL");
};
const hf = await open();
try {
  console.log(`    ends: ${await hf.run(runId, () => agent(folder, reach))}`);
} catch (error) {
  if (!HoldfastError.is(error, "RUN_WAITING")) throw error;
  console.log(`    waits for ${error.details.waitingOn}`);
  reach("wait");
}
await hf.close();
