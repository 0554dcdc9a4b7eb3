import { defineConfig } from "tsup";

export default defineConfig({
  entry: ["src/index.ts"],
  format: ["esm", "cjs"],
  dts: true,
  clean: true,
  sourcemap: true,
  target: "node22",
  // In CommonJS, import.meta.url, from which the server's programs are found, comes from a shim.
  shims: true,
});
