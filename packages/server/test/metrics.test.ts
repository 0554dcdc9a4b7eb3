import { current, openHoldfast, sleep, step, usd } from "@holdfast/core";
import { beforeEach, expect, test } from "vitest";
import { createApi } from "../src/index.ts";
import { aDoubt, keyOf, keys, newId, useServer } from "./served.ts";

const server = useServer();
let api: ReturnType<typeof createApi>;

/** What Prometheus is told: values by name and labels. Each test has a server of its own, which counts from then on. */
async function metrics(): Promise<Record<string, number>> {
  const response = await api.request("/metrics", { headers: { authorization: `Bearer ${keyOf("reader")}` } });
  const lines = (await response.text()).split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return Object.fromEntries(
    lines.map((line) => [
      line.slice(0, line.lastIndexOf(" ")),
      Number(line.slice(line.lastIndexOf(" ") + 1)),
    ]),
  );
}

beforeEach(async () => {
  api = createApi(server.hf, { keys });
  await metrics();
});

test("of what another process did: calls by how long they took, takeovers, and what did not happen twice", async () => {
  const id = newId();
  let broken = true;
  const elsewhere = await openHoldfast({ database: server.database });
  const work = async () => {
    await current()?.step({ kind: "model", name: "acme/m", input: {} }, () => "ho");
    await step("look", () => 1, { effect: "read" });
    await step("charge", () => 1, { effect: "idempotent" });
    if (broken) throw new Error("the process had enough");
  };
  await elsewhere.run(id, work).catch(() => {});
  broken = false;
  await elsewhere.run(id, work);
  await aDoubt(elsewhere);
  await elsewhere.close({ graceSeconds: 0 });

  const told = await metrics();
  expect(told).toMatchObject({
    'holdfast_call_seconds_count{call="model",ok="true"}': 1,
    'holdfast_call_seconds_count{call="step",ok="true"}': 2,
    'holdfast_takeovers_total{after="start"}': 2,
    'holdfast_takeovers_total{after="retry"}': 1,
    'holdfast_replayed_calls_total{call="model"}': 1,
    'holdfast_replayed_calls_total{call="step"}': 2,
    'holdfast_repeats_prevented_total{because="record"}': 1,
    'holdfast_repeats_prevented_total{because="doubt"}': 1,
    holdfast_doubts_total: 1,
    'holdfast_outcomes_total{status="succeeded"}': 1,
  });
  expect(await metrics()).toMatchObject({ 'holdfast_takeovers_total{after="retry"}': 1 }); // nothing is counted twice
});

/** A run that is to begin in an hour, of which a hundred seconds are over: and now its time has come. */
async function dueRun(agent: string): Promise<string> {
  const soon = new Date(Date.now() + 3_600_000);
  const named = server.hf.agents.find(({ name }) => name === agent) ?? server.hf.agent(agent, () => 1);
  const { id } = await server.hf.start(named, undefined, { runAt: soon });
  const { db } = await server.hf.opened();
  await db.transaction(async (tx) => {
    await tx.query("alter table holdfast.entries disable trigger user");
    await tx.query(
      `update holdfast.entries set at = at - interval '100 seconds'
        where run = (select run from holdfast.runs where run_id = $1)`,
      [id],
    );
    await tx.query("alter table holdfast.entries enable trigger user");
  });
  await db.query("update holdfast.runs set run_at = now() where run_id = $1", [id]);
  return id;
}

test("how long runs of the fleet were queued, from when their time had come", async () => {
  server.hf.agent("napper", () => sleep(1_500));
  const id = await dueRun("napper");
  const worker = server.hf.worker({ agents: ["napper"] });
  await worker.start();
  for await (const _ of server.hf.tail(id));
  await worker.stop();
  const told = await metrics();
  expect(told['holdfast_claim_seconds_count{after="start"}']).toBe(1);
  expect(told['holdfast_claim_seconds_sum{after="start"}']).toBeLessThan(50);
  expect(told['holdfast_claim_seconds_count{after="wait"}']).toBe(1);
  const takeovers = (await server.hf.entries(id)).filter(({ kind }) => kind === "takeover");
  expect(takeovers).toMatchObject([
    { after: "start", due: expect.any(String) },
    { after: "wait", due: expect.any(String) },
  ]);
});

test("how long the oldest queued run has waited, from when its time had come", async () => {
  const id = await dueRun("later");
  server.hf.agent("other", () => 1);
  const worker = server.hf.worker({ agents: ["other"] });
  await worker.start(); // it wakes whatever is due, and has not the agent
  while ((await server.hf.runs.get(id)).status !== "queued");
  expect((await metrics()).holdfast_oldest_queued_seconds).toBeLessThan(50);
  await server.hf.cancel(id, { by: "ana" });
  await worker.stop();
});

test("what budgets hold and have spent, and how often money was held", async () => {
  const elsewhere = await openHoldfast({
    database: server.database,
    tools: { pay: { effect: "idempotent", cost: () => usd(2) } },
    budgets: [{ scope: { tag: "tenant:acme" }, per: "day", cap: usd(50) }],
  });
  let holding: Record<string, number> = {};
  await elsewhere.run(
    newId(),
    async () =>
      await current()?.step({ kind: "tool", name: "pay", input: {} }, async () => {
        holding = await metrics();
      }),
    { tags: ["tenant:acme"], budget: usd(9) },
  );
  const window = 'scope="tag:tenant:acme",per="day"';
  expect(holding).toMatchObject({
    holdfast_holds_total: 1,
    holdfast_held_micros_total: 2_000_000,
    [`holdfast_budget_held_micros{${window}}`]: 2_000_000,
    [`holdfast_budget_spent_micros{${window}}`]: 0,
    [`holdfast_budget_cap_micros{${window}}`]: 50_000_000,
  });
  expect(await metrics()).toMatchObject({
    [`holdfast_budget_held_micros{${window}}`]: 0,
    [`holdfast_budget_spent_micros{${window}}`]: 2_000_000,
  });
  await elsewhere.close({ graceSeconds: 0 });
});

test("replays by mode, and nothing of what they and other copies begin with", async () => {
  const id = newId();
  const charge = () => step("charge", () => 1, { effect: "idempotent" });
  await server.hf.run(id, charge);
  await metrics();
  const before = await metrics();
  await server.hf.replay(id, charge, { mode: "mock-tools" });
  await server.hf.fork(id);
  await server.hf.importRun(await server.hf.exportRun(id), { id: newId() });
  const after = await metrics();
  expect(after['holdfast_replays_total{mode="mock-tools"}']).toBe(1);
  for (const name of [
    'holdfast_intents_total{effect="idempotent"}',
    'holdfast_takeovers_total{after="start"}',
  ])
    expect([name, after[name]]).toEqual([name, before[name]]);
});
