import { expect, test } from "vitest";
import { withDurability } from "../src/index.ts";
import { ItemModel, says } from "./item-model.ts";
import { type Sdk, versions } from "./versions.ts";
import { newRunId, workbench } from "./workbench.ts";

const { here } = workbench();

test("a run in which nothing was held warns: another copy of the SDK than the one that was handed over", async () => {
  const [handedOver, used] = versions.map(({ sdk }) => sdk) as [Sdk, Sdk];
  withDurability(handedOver.Runner);
  const warnings: string[] = [];
  const warned = (warning: Error) => warnings.push(warning.message);
  process.on("warning", warned);
  const { Agent, run } = used;
  const agent = new Agent({ name: "Unseen", model: new ItemModel([says("hello")]) });
  const runId = newRunId();
  await here().run(runId, async () => (await run(agent, "go")).finalOutput);
  await new Promise((resolve) => setImmediate(resolve));
  process.off("warning", warned);
  expect(warnings).toEqual([
    expect.stringMatching(new RegExp(`^Run ${runId} has ended, and no step of it was`)),
  ]);
});
