// Writes the golden ledgers of this version: node --conditions=@holdfast/source test/golden/record.ts
// See README.md.

import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { type Holdfast, HoldfastError, openHoldfast } from "@holdfast/core";
import core from "@holdfast/core/package.json" with { type: "json" };
import { ScriptedModel } from "../../packages/adapter-vercel-ai/test/scripted-model.ts";
import { agents } from "./agents.ts";
import { fileOf, frameworks } from "./frameworks/index.ts";
import { scenes, scriptsOf } from "./frameworks/scenes.ts";

const input = { who: "ana" };
const about = { input, agent: "golden", version: "1", tags: ["golden"] };

/** What is there already was written by this version, or by a build of it: it stays. */
async function record(hf: Holdfast, id: string, work: () => Promise<unknown>, name: string): Promise<void> {
  const file = fileURLToPath(new URL(`./${core.version}/${name}`, import.meta.url));
  if (existsSync(file)) return;
  await hf.runs.delete(id).catch(() => {});
  try {
    await hf.run(id, work, about);
  } catch (error) {
    if (HoldfastError.is(error, "RUN_WAITING")) {
      for (const question of error.details.questions)
        await hf.questions.answer(question, { approve: true, by: "ana" });
      await hf.run(id, work, about);
    }
  }
  await hf.exportRun(id, { to: file });
}

const hf = await openHoldfast();
for (const [name, work] of Object.entries(agents))
  await record(hf, `golden: ${name}`, () => work(input), fileOf(name));
await hf.close();

const model = new ScriptedModel();
await model.listen();
for (const [framework, { build, handsOver }] of Object.entries(frameworks)) {
  for (const [name, scene] of Object.entries(scenes)) {
    for (const [id, turns] of Object.entries(scriptsOf(name, scene, handsOver))) model.script(id, ...turns);
    const governed = await openHoldfast(scene.policy ? { policy: scene.policy } : {});
    const work = build(name, scene, model.url);
    await record(
      governed,
      `golden: ${framework}, ${name}`,
      () => work(input),
      `${framework}/${fileOf(name)}`,
    );
    await governed.close();
  }
}
model.close();
