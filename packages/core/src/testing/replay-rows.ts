import { expect } from "vitest";
import type { ContractAgent } from "./contract-bench.ts";
import { replayFixture } from "./fixture.ts";
import { withoutSockets } from "./no-sockets.ts";
import type { Rows } from "./policy-rows.ts";

const said = { said: "as it was" };
const one = { calls: [{ name: "first", input: { n: 1 } }] };
const two = { calls: [{ name: "second", input: { n: 2 } }] };
const done = { text: "done, as it was" };

/** Agents whose runs are recorded, and what is tried with the record. */
const agents: Readonly<Record<string, ContractAgent>> = {
  "of one answer": { turns: [done], tools: {} },
  "with a tool": { turns: [one, done], tools: { first: () => said } },
  "with tools in turn": { turns: [one, two, done], tools: { first: () => said, second: () => said } },
  "with tools side by side": {
    turns: [{ calls: [...one.calls, ...two.calls] }, done],
    tools: { first: () => said, second: () => said },
  },
  "with a tool that throws": {
    turns: [one, done],
    tools: {
      first: () => {
        throw new RangeError("as it was");
      },
    },
  },
};

/** The rows of the adapter contract that are about runs that are looked back at. */
export function replayRows({ row, open, newId, agent: make }: Rows): void {
  /** The agent, and which of its tools were called. */
  function counted(agent: ContractAgent) {
    const called: string[] = [];
    const tools = Object.fromEntries(
      Object.entries(agent.tools).map(([name, does]) => [
        name,
        (input: never) => {
          called.push(name);
          return does(input);
        },
      ]),
    );
    return { made: make({ ...agent, tools }), called };
  }

  for (const [kind, agent] of Object.entries(agents)) {
    for (const how of ["run", "stream"] as const) {
      row(
        `a run of an agent ${kind} is replayed from its file, with no call and no socket (${how})`,
        async () => {
          const { made, called } = counted(agent);
          const [hf, id] = [await open(), newId()];
          const value = await hf.run(id, made[how]);
          const before = [made.asked(), called.length];
          const file = await hf.exportRun(id);
          expect(await withoutSockets(() => replayFixture(file, made[how]))).toEqual({ value, tried: 0 });
          expect(await hf.replay(id, made[how])).toMatchObject({ follows: true, departures: [], value });
          expect([made.asked(), called.length]).toEqual(before);
          expect(await hf.diff(id, id)).toMatchObject({ same: true });
        },
      );
    }
  }

  row(
    "the test of a recorded run fails where a tool has changed, naming the turn and showing it",
    async () => {
      const agent = agents["with a tool"] as ContractAgent;
      const [hf, id] = [await open(), newId()];
      await hf.run(id, make(agent).run);
      const file = await hf.exportRun(id);
      const changed = make({ ...agent, tools: { ...agent.tools, another: () => said } });
      const failing = withoutSockets(() => replayFixture(file, changed.run, { update: false }));
      await expect(failing).rejects.toThrow(/drifts from its record at turn 1 of [\s\S]*another/);
      expect(changed.asked()).toBe(0);
    },
  );

  for (const how of ["run", "stream"] as const) {
    row(
      `a replay asks with another system prompt in every turn, and calls no tool again (${how})`,
      async () => {
        const { made, called } = counted({ ...(agents["with a tool"] as ContractAgent), system: "Be kind." });
        const [hf, id] = [await open(), newId()];
        await hf.run(id, made[how]);
        const set = { prompt: "Be exact." };
        const { value, diff } = await hf.replay(id, made[how], { mode: "counterfactual", set });
        expect([value, made.asked(), called.length]).toEqual(["done, as it was", 4, 1]);
        expect(made.heard()).toContain("Be exact.");
        expect(made.heard()).not.toContain("Be kind.");
        const calls = diff.steps.filter(({ call }) => call !== "step");
        expect(calls.map(({ at, call }) => `${at} ${call}`)).toEqual([
          "drifted model",
          "same tool",
          "drifted model",
        ]);
      },
    );

    row(`a replay asks another model in every turn, and calls no tool again (${how})`, async () => {
      const agent = agents["with a tool"] as ContractAgent;
      const { made, called } = counted(agent);
      const other = make({ ...agent, turns: [one, { text: "done by another" }] });
      const [hf, id] = [await open(), newId()];
      await hf.run(id, made[how]);
      const set = { model: other.model };
      const { value } = await hf.replay(id, made[how], { mode: "counterfactual", set });
      expect([value, made.asked(), other.asked(), called.length]).toEqual(["done by another", 2, 2, 1]);
    });
  }

  row("a replay that is given no model where one is set says so, and asks none", async () => {
    const { made } = counted(agents["with a tool"] as ContractAgent);
    const [hf, id] = [await open(), newId()];
    await hf.run(id, made.run);
    const { error } = await hf.replay(id, made.run, { mode: "counterfactual", set: { model: {} } });
    expect([String(error), made.asked()]).toEqual([expect.stringContaining("set.model"), 2]);
  });

  for (const k of [0, 1]) {
    row(
      `another result of tool ${k + 1} of two changes nothing before the next turn, and all turns after`,
      async () => {
        const made = make(agents["with tools in turn"] as ContractAgent);
        const [hf, id] = [await open(), newId()];
        await hf.run(id, made.run);
        const asked = made.asked();
        const results = (await hf.entries(id)).flatMap((entry) =>
          entry.kind === "observation" && entry.call === "tool" ? [entry] : [],
        );
        const { step = "", output } = results[k] ?? {};
        const other = JSON.parse(JSON.stringify(output).replaceAll("as it was", "as it might be")) as unknown;
        const { value, diff } = await hf.replay(id, made.run, {
          mode: "counterfactual",
          set: { steps: { [step]: { output: other } } },
        });
        expect(value).toBe("done, as it was");
        expect(made.asked() - asked).toBe(2 - k);
        const at = diff.steps.findIndex((each) => each.a === step);
        expect(diff.steps.slice(0, at).map((each) => each.at)).toEqual(
          diff.steps.slice(0, at).map(() => "same"),
        );
        const models = diff.steps.slice(at).filter(({ call }) => call === "model");
        expect([diff.steps[at]?.at, ...models.map((each) => each.at)]).toEqual([
          "changed",
          ...Array.from({ length: 2 - k }, () => "drifted"),
        ]);
      },
    );
  }
}
