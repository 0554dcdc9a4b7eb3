import { cpSync, mkdirSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { defineConfig } from "tsup";

export default defineConfig({
  entry: ["src/index.ts"],
  format: ["esm", "cjs"],
  // For CommonJS too: default imports of ESM-only packages are then their defaults. See core's.
  splitting: true,
  dts: true,
  clean: true,
  sourcemap: true,
  target: "node22",
  shims: true,
  // The reference page's files, as they are: see src/routes/reference.ts.
  async onSuccess() {
    const from = dirname(createRequire(import.meta.url).resolve("swagger-ui-dist/package.json"));
    mkdirSync("dist/reference", { recursive: true });
    for (const file of ["swagger-ui.css", "swagger-ui-bundle.js", "LICENSE", "NOTICE"])
      cpSync(join(from, file), join("dist/reference", file));
  },
});
