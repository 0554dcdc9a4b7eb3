import { describe, expect, test } from "vitest";
import { step } from "../../src/index.ts";
import { useHoldfast } from "../opened.ts";
import { newId } from "../store.ts";

const { open } = useHoldfast();

const price = (cents: number) => step("price", () => cents, { effect: "read" });

describe("a run is replayed by the agent that this process has registered under its agent's name", () => {
  test("with its input, and with what the runs it came after had returned", async () => {
    const holdfast = await open();
    const seen: unknown[] = [];
    const first = holdfast.agent("first", (n: number) => n + 1);
    const second = holdfast.agent("second", async (n: number, { runId, outputs }) => {
      seen.push([runId, n, outputs]);
      return n * (outputs.one as number);
    });
    await holdfast.worker().start();
    const { runs } = await holdfast.flow("sum", [
      { name: "one", agent: first, input: 4 },
      { name: "two", agent: second, input: 10, after: ["one"] },
    ]);
    expect(await runs.two?.result()).toBe(50);
    const trace = await holdfast.replay(runs.two?.id as string);
    expect(trace).toMatchObject({ follows: true, value: 50 });
    expect(seen).toEqual([
      [runs.two?.id, 10, { one: 5 }],
      [runs.two?.id, 10, { one: 5 }],
    ]);
  });

  test("also an inline one, and with tools mocked as a run of its own, in the name of who asked", async () => {
    const holdfast = await open();
    const id = newId();
    await holdfast.run(id, async () => (await price(5)) * 2, { agent: "pricer" });
    holdfast.agent("pricer", async () => (await price(6)) * 3);
    expect((await holdfast.replay(id)).departures[0]).toMatchObject({ at: "end" });
    const replayed = await holdfast.replay(id, { mode: "mock-tools", by: "ana" });
    expect(replayed.value).toBe(15);
    const note = (await holdfast.entries(replayed.id)).find((entry) => entry.kind === "note");
    expect(note).toMatchObject({ note: "forked", from: id, by: "ana" });
  });

  test("and not where there is none: the error says who has it", async () => {
    const holdfast = await open();
    const [id, unnamed] = [newId(), newId()];
    await holdfast.run(id, () => 1, { agent: "elsewhere" });
    await holdfast.run(unnamed, () => 1);
    await expect(holdfast.replay(unnamed)).rejects.toThrow("it names no agent");
    await expect(holdfast.replay(id)).rejects.toMatchObject({ code: "COMMAND_NOT_ALLOWED" });
    await expect(holdfast.replay(id)).rejects.toThrow("and no living worker has it");
    const other = await open();
    other.agent("elsewhere", () => 1);
    await other.worker().start();
    const [, takeover] = await holdfast.entries(id);
    const name = takeover?.kind === "takeover" ? takeover.worker : "";
    await expect(holdfast.replay(id)).rejects.toThrow(`but ${name} has it`);
  });
});
