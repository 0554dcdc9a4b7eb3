import { fileURLToPath } from "node:url";
import { defineConfig, type Plugin } from "vitest/config";

/** The oldest LangGraph that is supported, for what the tests and the source of its adapter import. */
const oldestLangGraph: Plugin = {
  name: "oldest-langgraph",
  enforce: "pre",
  resolveId(id, importer, options) {
    if (!/^(@langchain\/|langchain(\/|$))/.test(id) || importer?.includes("node_modules")) return null;
    const oldest = fileURLToPath(
      new URL("./packages/adapter-langgraph/test/oldest/package.json", import.meta.url),
    );
    return this.resolve(id, oldest, { ...options, skipSelf: true });
  },
};

// Packages are tested from source: this export condition leads to src/index.ts, with no build in between.
const source = "@holdfast/source";

const tests = ["{src,test}/**/*.test.ts"];
const database = fileURLToPath(new URL("./scripts/database-for-tests.ts", import.meta.url));

export default defineConfig({
  ssr: {
    resolve: {
      conditions: [source, "node", "development|production"],
      // Only ours. With "import" among them, require("pg-pool") inside pg finds the wrong file.
      externalConditions: [source],
    },
  },
  test: {
    maxWorkers: 2,
    // Real processes and leases of a second, on two cores that others use too: a test that is disturbed is run again.
    retry: process.env.CI ? 2 : 0,
    coverage: { provider: "v8", include: ["packages/*/src/**/*.ts"] },
    projects: [
      {
        extends: true,
        test: { name: "core", root: "./packages/core", include: tests, globalSetup: database },
      },
      {
        extends: true,
        test: {
          name: "vercel-ai",
          root: "./packages/adapter-vercel-ai",
          include: tests,
          globalSetup: database,
        },
      },
      {
        extends: true,
        test: { name: "server", root: "./packages/server", include: tests, globalSetup: database },
      },
      {
        extends: true,
        test: {
          name: "dashboard",
          root: "./packages/dashboard",
          include: tests,
          globalSetup: [database, "./test/built.ts"],
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        extends: true,
        test: {
          name: "langgraph",
          root: "./packages/adapter-langgraph",
          include: tests,
          globalSetup: database,
        },
      },
      {
        extends: true,
        plugins: [oldestLangGraph],
        test: {
          name: "langgraph-oldest",
          root: "./packages/adapter-langgraph",
          include: tests,
          globalSetup: database,
        },
      },
      {
        extends: true,
        test: {
          name: "openai-agents",
          root: "./packages/adapter-openai-agents",
          include: tests,
          globalSetup: database,
        },
      },
      {
        extends: true,
        test: {
          name: "cli",
          root: "./packages/cli",
          include: tests,
          globalSetup: database,
          testTimeout: 30_000,
        },
      },
      {
        extends: true,
        test: {
          name: "embedded-postgres",
          root: "./packages/embedded-postgres",
          include: tests,
          testTimeout: 30_000,
        },
      },
      {
        extends: true,
        test: { name: "examples", root: "./examples", include: ["*/runs/*.test.ts"] },
      },
      {
        extends: true,
        test: {
          name: "repository",
          include: ["scripts/*.test.ts", "test/layers.test.ts", "test/golden/*.test.ts"],
          testTimeout: 30_000,
        },
      },
      {
        // Real processes that are killed for real: one file at a time, after all others.
        extends: true,
        test: {
          name: "crash",
          root: "./test",
          include: ["**/*.test.ts"],
          exclude: ["layers.test.ts", "golden/**", "**/node_modules/**"],
          globalSetup: database,
          fileParallelism: false,
          testTimeout: 120_000,
          hookTimeout: 60_000,
        },
      },
    ],
  },
});
