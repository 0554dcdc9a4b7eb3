export { hf } from "@holdfast/core";
export type { DurabilityOptions } from "./durable-graph.ts";
export { HoldfastSaver } from "./saver/saver.ts";
export { requestInput } from "./request-input.ts";
export { withDurability } from "./with-durability.ts";
