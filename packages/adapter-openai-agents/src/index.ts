export { hf } from "@holdfast/core";
export { type DurabilityOptions, withDurability } from "./with-durability.ts";
