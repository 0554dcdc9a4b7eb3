// Who may import whom across packages. The folders inside core are kept by test/layers.test.ts.

/** @type {import("dependency-cruiser").IConfiguration} */
module.exports = {
  forbidden: [
    {
      name: "core-knows-no-framework",
      comment:
        "Core imports no agent framework and no adapter. An undeclared one does not resolve: hence the bare names.",
      severity: "error",
      from: { path: "^packages/core/src" },
      to: {
        path: [
          "(^|/)node_modules/(ai|@ai-sdk|@langchain|@openai|openai)/",
          "^(ai|openai)(/|$)",
          "^@(ai-sdk|langchain|openai)/",
          "^packages/adapter-",
          "^@holdfast/(vercel-ai|langgraph|openai-agents)",
        ],
      },
    },
    {
      name: "adapters-stand-alone",
      comment: "An adapter imports core and its framework, never another adapter.",
      severity: "error",
      from: { path: "^packages/(adapter-[^/]+)/src" },
      to: { path: "^packages/adapter-", pathNot: "^packages/$1/" },
    },
    {
      name: "server-knows-core-only",
      comment: "The control API is for agents of any framework, and is not the dashboard.",
      severity: "error",
      from: { path: "^packages/server/src" },
      to: { path: "^packages/", pathNot: "^packages/(server|core)/" },
    },
    {
      name: "dashboard-is-a-thin-client",
      comment: "It knows the server and core by their types, and what of core runs in browsers.",
      severity: "error",
      from: { path: "^packages/dashboard/src", pathNot: "\\.test\\.ts$" },
      to: {
        path: "^packages/",
        pathNot: "^packages/(dashboard/|core/src/run/)",
        dependencyTypesNot: ["type-only"],
      },
    },
    {
      name: "embedded-postgres-stands-alone",
      comment: "The embedded server knows neither core nor an adapter.",
      severity: "error",
      from: { path: "^packages/embedded-postgres/src" },
      to: { path: "^packages/", pathNot: "^packages/embedded-postgres/" },
    },
    {
      name: "examples-use-public-entries",
      comment: "An example imports packages by name, not files inside them.",
      severity: "error",
      from: { path: "^examples/" },
      to: { path: "^packages/", dependencyTypes: ["local"] },
    },
    {
      name: "no-cycles",
      severity: "error",
      from: {},
      to: { circular: true },
    },
    {
      name: "nothing-unresolvable",
      severity: "error",
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: "nothing-undeclared",
      comment: "What a package's source imports stands in that package's own package.json.",
      severity: "error",
      from: { path: "^packages/[^/]+/src", pathNot: "\\.test\\.ts$" },
      to: { dependencyTypes: ["npm-no-pkg", "npm-unknown"] },
    },
    {
      name: "nothing-for-development-only",
      comment: "A user's install brings no devDependencies.",
      severity: "error",
      from: { path: "^packages/[^/]+/src", pathNot: "\\.test\\.ts$" },
      to: { dependencyTypes: ["npm-dev"], dependencyTypesNot: ["npm", "npm-peer", "npm-optional"] },
    },
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    exclude: { path: "^(packages|examples)/[^/]+/(dist|coverage)/" },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
    combinedDependencies: false,
    enhancedResolveOptions: {
      exportsFields: ["exports"],
      conditionNames: ["@holdfast/source", "import", "require", "node", "default", "types"],
      extensions: [".ts", ".tsx", ".js", ".mjs", ".cjs", ".json"],
    },
  },
};
