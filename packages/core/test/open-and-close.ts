// A process that opens Holdfast on the database it is given, and leaves.
import { openHoldfast } from "../src/index.ts";

const holdfast = await openHoldfast({ database: process.argv[2] });
await holdfast.close();
