import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import * as core from "@holdfast/core";
import * as embedded from "@holdfast/embedded-postgres";
import * as adapter from "@holdfast/vercel-ai";
import * as ai from "ai";
import { demo } from "./demo.cjs";

for (const name of ["core", "embedded-postgres", "vercel-ai"]) {
  const file = fileURLToPath(import.meta.resolve(`@holdfast/${name}`));
  assert.match(file, new RegExp(`/node_modules/@holdfast/${name}/dist/index\\.js$`));
}
await demo({ core, embedded, adapter, ai }, fileURLToPath(import.meta.url));
