// A process that does one run, on the database it is given, and leaves its Holdfast open.
import { openHoldfast, step } from "../src/index.ts";

const holdfast = await openHoldfast({ database: process.argv[2] });
process.stdout.write(`${await holdfast.run("left-open", () => step("look", () => "value"))}\n`);
