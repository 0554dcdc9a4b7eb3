export { hf } from "@holdfast/core";
export { PostgresSession, type PostgresSessionOptions } from "./postgres-session.ts";
export { type RequestInput, requestInput } from "./request-input.ts";
export { type DurabilityOptions, withDurability } from "./with-durability.ts";
