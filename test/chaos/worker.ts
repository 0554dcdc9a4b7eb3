// A process of the fleet, to be killed, stopped and continued: on the database and the folder that it is given.
import { openHoldfast } from "@holdfast/core";
import { registerAgent } from "./agent.ts";

const [, , database = "", folder = "", leaseSeconds = "3"] = process.argv;
const holdfast = await openHoldfast({ database, leaseSeconds: Number(leaseSeconds), graceSeconds: 0.5 });
registerAgent(holdfast, folder);
await holdfast.worker({ concurrency: 8 }).start();
console.log(JSON.stringify({ at: "working" }));
