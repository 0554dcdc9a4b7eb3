export { hf } from "@holdfast/core";
export { HoldfastSaver } from "./saver/saver.ts";
