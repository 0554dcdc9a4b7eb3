const assert = require("node:assert/strict");
const core = require("@holdfast/core");
const embedded = require("@holdfast/embedded-postgres");
const adapter = require("@holdfast/vercel-ai");
const ai = require("ai");
const { demo } = require("./demo.cjs");

for (const name of ["core", "embedded-postgres", "vercel-ai"]) {
  const file = require.resolve(`@holdfast/${name}`);
  assert.match(file, new RegExp(`/node_modules/@holdfast/${name}/dist/index\\.cjs$`));
  assert.ok(require.cache[file]?.loaded);
}
void demo({ core, embedded, adapter, ai }, __filename); // where it rejects, the process fails
