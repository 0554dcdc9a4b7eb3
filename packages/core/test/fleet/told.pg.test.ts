import { describe, expect, test } from "vitest";
import { type AgentContext, ask, type Holdfast, once, receive, sleep } from "../../src/index.ts";
import { replayFixture, withoutSockets } from "../../src/testing/index.ts";
import { outcomeOf, port, tool } from "../agent.ts";
import { counter, useHoldfast } from "../opened.ts";
import { eventually, newId } from "../store.ts";

const { open } = useHoldfast();
const ana = { by: "ana" };

const model = (messages: readonly unknown[]) =>
  port().step({ kind: "model", name: "acme/m", input: { messages } }, () => "yes");

/** A fleet's agent that is told all that a run can be told, and the run that it made. */
async function recorded() {
  const holdfast = await open();
  const { calls, does } = counter();
  const child = holdfast.agent("child", (n: number) => n + 1);
  const handler = async (input: { who: string }, { runId, outputs }: AgentContext) => {
    const started = await holdfast.start(child, 7);
    const answer = await ask<string>({ question: `Shall we, ${input.who}?` });
    const messages = await receive({ wait: true });
    await sleep(5);
    const known = [runId, outputs, await started.result(), answer, messages, await receive()];
    return [...known, await model(known), await once("send", does("send"))];
  };
  const agent = holdfast.agent("told", handler);
  await holdfast.worker().start();
  const first = await holdfast.start(child, 1);
  const run = await holdfast.start(agent, { who: "ana" }, { after: [{ run: first, name: "first" }] });
  await eventually(async () => (await holdfast.questions.list({ runId: run.id })).length > 0);
  const [question] = await holdfast.questions.list({ runId: run.id });
  await holdfast.questions.answer(question?.id ?? "", { value: "yes", ...ana });
  await eventually(async () => (await holdfast.runs.get(run.id)).waitingOn === "input");
  await holdfast.send(run.id, { text: "hello" });
  const value = await run.result();
  expect(value).toEqual([run.id, { first: 2 }, 8, "yes", [{ text: "hello" }], [], "yes", undefined]);
  expect(calls).toEqual(["send"]);
  const runs = async () => (await holdfast.runs.list({ limit: 500 })).length;
  return { holdfast, id: run.id, handler, value, calls, runs };
}

const questionsOf = async (holdfast: Holdfast, id: string) =>
  (await holdfast.entries(id)).filter(({ kind }) => kind === "question").length;

describe("what a run was told", () => {
  test("a trace tells the code again: answers, messages, ends of runs, and what the handler is given", async () => {
    const { holdfast, id, handler, value, calls, runs } = await recorded();
    const before = await runs();
    expect(await holdfast.replay(id, handler)).toMatchObject({ follows: true, departures: [], value });
    expect([calls, await runs()]).toEqual([["send"], before]);
    const file = await holdfast.exportRun(id);
    expect(await withoutSockets(() => replayFixture(file, handler))).toEqual({ value, tried: 0 });
  });

  test.each(["counterfactual", "mock-tools"] as const)(
    "a replay in %s tells it again as well, asks nobody, and starts nothing",
    async (mode) => {
      const { holdfast, id, handler, value, calls, runs } = await recorded();
      const before = await runs();
      const replayed = await holdfast.replay(id, handler, { mode });
      expect(replayed).toMatchObject({ value, error: undefined, diff: { same: true } });
      expect([calls, await runs()]).toEqual([["send"], before + 1]);
      expect(await questionsOf(holdfast, replayed.id)).toBe(0);
    },
  );
});

describe("what is not on record", () => {
  const asks = () => outcomeOf(ask({ question: "Really?" }));

  test("a trace stops at: a question that was not asked, a message that was not received", async () => {
    const [id, holdfast] = [newId(), await open()];
    await holdfast.run(id, () => 1);
    for (const work of [asks, () => receive()]) {
      expect(await holdfast.replay(id, work)).toMatchObject({ follows: false, ended: "stopped" });
    }
  });

  test("nobody is asked in a replay: a stub answers, or the question is refused", async () => {
    const [id, holdfast] = [newId(), await open()];
    await holdfast.run(id, () => 1);
    const refused = await holdfast.replay(id, asks, { mode: "counterfactual" });
    expect(refused.value).toBe("COMMAND_NOT_ALLOWED");
    const stubs = { ask: (question: string) => `you said: ${question}` };
    const stubbed = await holdfast.replay(id, asks, { mode: "mock-tools", stubs });
    expect(stubbed.value).toBe("you said: Really?");
    const live = await holdfast.replay(id, asks, { mode: "counterfactual", live: ["ask"] });
    expect(live.value).toBe("COMMAND_NOT_ALLOWED");
    for (const each of [refused, stubbed, live]) expect(await questionsOf(holdfast, each.id)).toBe(0);
  });

  test("a replay does not wait: for no time, and for no message", async () => {
    const [id, holdfast] = [newId(), await open()];
    await holdfast.run(id, () => 1);
    const slept = await holdfast.replay(id, () => sleep("1h"), { mode: "mock-tools" });
    expect(slept).toMatchObject({ error: undefined });
    const received = await holdfast.replay(id, () => receive(), { mode: "mock-tools" });
    expect(received.value).toEqual([]);
    const waits = holdfast.replay(id, () => receive({ wait: true }), { mode: "mock-tools" });
    await expect(waits).rejects.toMatchObject({ code: "COMMAND_NOT_ALLOWED" });
  });
});

test("a call that policy refused is refused again in a replay and in a fork, and asks nothing anew", async () => {
  const policy = [{ tool: "pay", then: "deny", reason: "the till is closed" }] as const;
  const [id, holdfast] = [newId(), await open({ policy })];
  let asked = 0;
  const work = async () => {
    const why = await tool("pay", { cents: 5 }, () => "paid").catch((error: Error) => error.message);
    return await port().step({ kind: "model", name: "m", input: { why } }, () => `sorry ${++asked}`);
  };
  await holdfast.run(id, work);
  const open2 = await open();
  const replayed = await open2.replay(id, work, { mode: "counterfactual" });
  expect(replayed).toMatchObject({ value: "sorry 1", diff: { same: true } });
  const { id: fork } = await open2.fork(id);
  expect(await open2.run(fork, work)).toBe("sorry 1");
  expect((await open2.entries(fork)).filter((entry) => entry.kind === "note")).toMatchObject([
    { note: "forked" },
  ]);
});

test("a handler is told in every execution of those runs alone that it came after", async () => {
  const holdfast = await open();
  const child = holdfast.agent("child", (n: number) => n);
  const agent = holdfast.agent("parent", async (_: unknown, { outputs }: AgentContext) => {
    const started = await holdfast.start(child, 2);
    await started.result();
    await ask({ question: "Go on?" });
    return outputs;
  });
  const first = await holdfast.start(child, 1);
  const run = await holdfast.start(agent, undefined, { after: [{ run: first, name: "first" }] });
  await holdfast.worker().start();
  await eventually(async () => (await holdfast.runs.get(run.id)).waitingOn === "input");
  const [question] = await holdfast.questions.list({ runId: run.id });
  await holdfast.questions.answer(question?.id ?? "", { value: true, by: "ana" });
  expect(await run.result()).toEqual({ first: 1 });
  expect((await run.entries()).filter((entry) => entry.kind === "takeover").length).toBeGreaterThan(1);
});

test("a fork cannot begin before the ends of the runs that its run came after", async () => {
  const holdfast = await open();
  const one = holdfast.agent("one", (n: number) => n);
  const last = holdfast.agent("last", (_: unknown, { outputs }: AgentContext) => outputs);
  const [a, b] = [await holdfast.start(one, 1), await holdfast.start(one, 2)];
  const run = await holdfast.start(last, undefined, { after: [a, b] });
  await expect(holdfast.fork(run.id)).rejects.toThrow(/it waits for other runs to end/);
  await holdfast.worker().start();
  const outputs = await run.result();
  for (const at of [1, 2]) {
    await expect(holdfast.fork(run.id, { at })).rejects.toThrow(
      /which it came after, has not ended; it can be forked at 3/,
    );
  }
  expect(await (await holdfast.fork(run.id, { at: 3 })).result()).toEqual(outputs);
});
