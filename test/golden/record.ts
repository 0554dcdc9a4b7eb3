// Writes the golden ledgers of this version: node --conditions=@holdfast/source test/golden/record.ts
// Once a version is released, its folder is never written again.

import { fileURLToPath } from "node:url";
import { openHoldfast } from "@holdfast/core";
import core from "@holdfast/core/package.json" with { type: "json" };
import { agents } from "./agents.ts";

const hf = await openHoldfast();
for (const [name, work] of Object.entries(agents)) {
  const id = `golden: ${name}`;
  const input = { who: "ana" };
  await hf.runs.delete(id).catch(() => {});
  await hf
    .run(id, () => work(input), { input, agent: "golden", version: "1", tags: ["golden"] })
    .catch(() => {});
  const file = new URL(`./${core.version}/${name.replaceAll(" ", "-")}.jsonl`, import.meta.url);
  await hf.exportRun(id, { to: fileURLToPath(file) });
}
await hf.close();
