export { hf } from "@holdfast/core";
export { durableMiddleware } from "./middleware.ts";
export { type RequestInput, requestInput } from "./request-input.ts";
export { durableTools } from "./tools.ts";
export { withDurability } from "./with-durability.ts";
