import { defineConfig } from "tsup";

export default defineConfig({
  entry: { index: "src/index.ts" },
  format: ["esm", "cjs"],
  // For CommonJS too: default imports of ESM-only packages are then their defaults. See core's.
  splitting: true,
  dts: true,
  sourcemap: true,
  clean: true,
  target: "node22",
  shims: true,
});
