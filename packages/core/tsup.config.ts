import { defineConfig } from "tsup";

export default defineConfig({
  entry: {
    index: "src/index.ts",
    testing: "src/testing/index.ts",
    run: "src/run/index.ts",
    // Not an export: a worker thread, loaded at run time from beside the file that starts it.
    "heartbeat-thread": "src/heartbeat-thread.ts",
  },
  format: ["esm", "cjs"],
  // For CommonJS too: index and testing share one copy of what they have in common, and a default import of an
  // ESM-only package (canonicalize) is its default. Without it, it would be the namespace and fail when called.
  splitting: true,
  dts: { entry: { index: "src/index.ts", testing: "src/testing/index.ts", run: "src/run/index.ts" } },
  sourcemap: true,
  clean: true,
  target: "node22",
  // import.meta.url in the CommonJS build; nothing else of import.meta is there.
  shims: true,
});
