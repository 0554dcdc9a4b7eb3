import { describe, expect, test } from "vitest";
import { withDurability } from "../src/index.ts";
import { calls, ItemModel, says } from "./item-model.ts";
import { versions } from "./versions.ts";
import { newRunId, workbench } from "./workbench.ts";

const { here } = workbench({ tools: { look_up: { effect: "read" } } });

describe.each(versions)("$name: a replay", ({ sdk }) => {
  withDurability(sdk.Runner);

  /** A recorded run of an agent that hands off to one that has another model. */
  async function recorded() {
    const desk = new ItemModel([calls("transfer_to_Payments")]);
    const payments = new ItemModel([], [says("paid")]);
    const to = new sdk.Agent({ name: "Payments", instructions: "Pay.", model: payments as never });
    const from = new sdk.Agent({
      name: "Desk",
      instructions: "Be kind.",
      model: desk as never,
      handoffs: [to],
    });
    const runner = new sdk.Runner({ tracingDisabled: true });
    const work = async () => (await runner.run(from, "Go.")).finalOutput;
    const id = newRunId();
    expect(await here().run(id, work)).toBe("paid");
    return { id, work, desk, payments };
  }

  test("asks another model instead of each agent's own, with the tools and handoffs of that agent", async () => {
    const { id, work, desk, payments } = await recorded();
    const other = new ItemModel([calls("transfer_to_Payments")], [says("paid by another")]);
    const { value } = await here().replay(id, work, { mode: "counterfactual", set: { model: other } });
    expect([value, desk.asked.length, payments.asked.length]).toEqual(["paid by another", 1, 1]);
    expect(other.asked.map(({ systemInstructions }) => systemInstructions)).toEqual(["Be kind.", "Pay."]);
  });

  test("asks with other instructions than each agent's own", async () => {
    const { id, work, desk, payments } = await recorded();
    await here().replay(id, work, { mode: "counterfactual", set: { prompt: "Be exact." } });
    const asked = [...desk.asked, ...payments.asked].map(({ systemInstructions }) => systemInstructions);
    expect(asked).toEqual(["Be kind.", "Be exact.", "Pay.", "Be exact."]);
  });

  test("finds no model by its name where no provider does, and says so", async () => {
    const { id, work } = await recorded();
    const { error } = await here().replay(id, work, { mode: "counterfactual", set: { model: "other" } });
    expect(String(error)).toContain("no provider to look its name up in");
  });
});
