import { HoldfastError } from "@holdfast/core";
import { agent, open } from "./agent.ts";

/** A process that works on the run until it ends, waits, or is killed. */
const [runId = "", folder = "", killedIn] = process.argv.slice(2);
const hf = await open();
try {
  console.log(`    ends: ${await hf.run(runId, () => agent(folder, killedIn))}`);
} catch (error) {
  if (!HoldfastError.is(error, "RUN_WAITING")) throw error;
  console.log(`    waits for ${error.details.waitingOn}, and exits`);
}
await hf.close();
