import { usd } from "@holdfast/core";
import { describe, expect, test } from "vitest";
import { withDurability } from "../src/index.ts";
import { calls, ItemModel, says } from "./item-model.ts";
import { versions } from "./versions.ts";
import { newRunId, workbench } from "./workbench.ts";

const { here } = workbench({ prices: { "*": { inputPerMillion: 0, outputPerMillion: usd(10) } } });

/** Notes the output cap that each request goes out with. */
function noting(model: ItemModel): { model: ItemModel; caps: unknown[] } {
  const caps: unknown[] = [];
  model.before = ({ modelSettings }) => void caps.push((modelSettings as { maxTokens?: number }).maxTokens);
  return { model, caps };
}

describe.each(versions)("$name", ({ sdk }) => {
  withDurability(sdk.Runner);
  const { Agent, run } = sdk;

  test.each([false, true])(
    "a model is asked with the output cap that its budget has room for (streaming: %s)",
    async (stream) => {
      const named = noting(new ItemModel([says("hello")]));
      const unnamed = noting(new ItemModel([says("hello")]));
      const agents = [
        new Agent({ name: "Named", model: named.model, modelSettings: { maxTokens: 900 } }),
        new Agent({ name: "Unnamed", model: unnamed.model }),
      ];
      for (const agent of agents) {
        const work = async () => await (await run(agent, "go", { stream })).completed;
        await here().run(newRunId(), work, { budget: 500 });
      }
      expect([named.caps, unnamed.caps]).toEqual([[50], [50]]);
      expect((named.model.asked[0] as { modelSettings?: unknown }).modelSettings).toMatchObject({
        maxTokens: 900,
      });
    },
  );

  test("without a budget a request goes out as it is", async () => {
    const { model, caps } = noting(new ItemModel([says("hello")]));
    await here().run(newRunId(), () => run(new Agent({ name: "Free", model }), "go"));
    expect(caps).toEqual([undefined]);
  });

  test("what agents as tools spend is the run's, and a run that has none left asks no more", async () => {
    const inner = new Agent({ name: "Inner", model: new ItemModel([says("inner says")]) });
    const outer = new Agent({
      name: "Outer",
      model: new ItemModel([calls("ask_inner", { input: "q" })], [says("never")]),
      tools: [inner.asTool({ toolName: "ask_inner", toolDescription: "asks" })],
    });
    const runId = newRunId();
    const work = () => run(outer, "go");
    await expect(here().run(runId, work, { budget: 450 })).rejects.toMatchObject({
      code: "BUDGET_EXHAUSTED",
      details: { left: 50 },
    });
    expect((await here().runs.get(runId)).budget).toMatchObject({ spent: 400, held: 0 });
    expect(outer.model.asked).toHaveLength(1);
  });
});
