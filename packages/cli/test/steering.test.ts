import { receive, sleep, step } from "@holdfast/core";
import { beforeAll, expect, test } from "vitest";
import { newId, useCommandLine } from "./line.ts";

const line = useCommandLine();
let broken = true;

beforeAll(async () => {
  line.hf.agent("sleeper", () => sleep("1h"));
  line.hf.agent("listener", () => receive({ wait: true }));
  line.hf.agent("breaker", () => {
    if (broken) throw new TypeError("the shop is closed");
    return "done";
  });
  await line.hf.worker().start();
});

test("a run is paused, resumed and cancelled in the name that is said", async () => {
  const { id } = await line.json("start", "sleeper");
  expect((await line.holdfast("pause", id, "--by", "ana")).out).toBe(`Run ${id} is paused, says ana.\n`);
  expect((await line.holdfast("resume", id, "--by", "ana")).exit).toBe(0);
  expect((await line.holdfast("cancel", id, "--by", "ana")).exit).toBe(0);
  expect((await line.holdfast("tail", id)).out).toMatch(/command +cancel +by ana/);
  expect((await line.holdfast("pause", id)).exit).toBe(4);
  expect((await line.holdfast("cancel", "none")).exit).toBe(3);
});

test("dead letters are listed and redriven", async () => {
  const { id } = await line.json("start", "breaker");
  await line.holdfast("tail", id);
  expect((await line.holdfast("dead-letters", "--agent", "breaker")).out).toMatch(
    /breaker +failed.*the shop is closed/,
  );
  broken = false;
  expect((await line.holdfast("redrive", id, "--by", "ana")).exit).toBe(0);
  let status = "";
  while (status !== "succeeded") ({ status } = await line.json("show", id));
  expect((await line.holdfast("dead-letters")).out).toBe("There are none.\n");
  expect((await line.holdfast("redrive", id)).exit).toBe(4);
});

test("a run is forked with an output set otherwise, and what is sent reaches a run", async () => {
  const id = newId();
  const work = async () => (await step("price", () => 5, { effect: "read" })) * 2;
  await line.hf.run(id, work);
  const at = (await line.hf.entries(id)).find((entry) => entry.kind === "observation");
  const { id: fork } = await line.json("fork", id, "--at", String(at?.seq), "--output", "price#0=7");
  expect(await line.hf.run(fork, work)).toBe(14);
  const { id: listening } = await line.json("start", "listener");
  while ((await line.json("show", listening)).waitingOn !== "input");
  expect((await line.holdfast("send", listening, '{"go":1}', "--by", "ana")).exit).toBe(0);
  expect((await line.holdfast("tail", listening)).out).toMatch(/outcome +succeeded +\[\{"go":1\}\]/);
});

test("flows are listed with what has become of their runs", async () => {
  expect((await line.holdfast("flows")).out).toContain("There are none.");
  const [sleeper] = line.hf.agents;
  if (!sleeper) throw new Error("there is no agent");
  const { id, runs } = await line.hf.flow("sleeps", [{ name: "one", agent: sleeper }], { by: "ana" });
  while ((await line.json("show", runs.one?.id ?? "")).waitingOn !== "timer");
  expect((await line.json("flows", "--name", "sleeps")).flows).toMatchObject([{ id, runs: { waiting: 1 } }]);
  expect((await line.holdfast("flows")).out).toMatch(/sleeps\/.* +1 waiting +.* ago +ana/);
});

test("a budget is raised by dollars, and shared budgets and schedules are listed", async () => {
  const { id } = await line.json("start", "sleeper");
  expect((await line.holdfast("budgets", "raise", id, "--to", "five")).exit).toBe(2);
  expect((await line.holdfast("budgets", "raise", id, "--to", "0.50", "--by", "ana")).out).toContain(
    "may spend $0.50",
  );
  expect((await line.json("show", id)).budget.cap).toBe(500_000);
  expect((await line.holdfast("budgets")).out).toBe("There are none.\n");
  const [agent] = line.hf.agents;
  if (agent) await line.hf.schedule("nightly", { cron: "0 3 * * *", agent });
  expect((await line.holdfast("schedules")).out).toMatch(/nightly +0 3 \* \* \* UTC/);
});
