export { hf } from "@holdfast/core";
