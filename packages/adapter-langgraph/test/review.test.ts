import { HoldfastError, type HoldfastOptions } from "@holdfast/core";
import { AIMessage } from "@langchain/core/messages";
import { Command, MemorySaver } from "@langchain/langgraph";
import { createAgent, humanInTheLoopMiddleware } from "langchain";
import { describe, expect, test } from "vitest";
import { withDurability } from "../src/index.ts";
import { reviewedCalls } from "../src/review.ts";
import { type CompiledMessagesGraph, lastText, toolOf } from "./graphs.ts";
import { ScriptedChat } from "./scripted-chat.ts";
import { newThread, workbench } from "./workbench.ts";

const { here, open } = workbench({ tools: { look: { effect: "read" } } });
const input = { messages: [{ role: "user", content: "Go." }] };

/** An agent that looks, and pays two people in one turn: as the middleware is told, somebody is to say whether it may. */
function paying(interruptOn: Readonly<Record<string, unknown>> = { pay: true }) {
  const log: unknown[] = [];
  const calls = [
    { name: "look", input: {} },
    { name: "pay", input: { to: "ana" } },
    { name: "pay", input: { to: "bob" } },
  ];
  const model = new ScriptedChat([{ calls }, { text: "done" }]);
  const tools = [
    toolOf("look", () => log.push("look")),
    toolOf("pay", ({ to }: { to: string }) => log.push(to)),
  ];
  const middleware = [humanInTheLoopMiddleware({ interruptOn })];
  const agent = createAgent({ model, tools, middleware, checkpointer: new MemorySaver() });
  const app = (holdfast = here()) => withDurability(agent, { holdfast }) as unknown as CompiledMessagesGraph;
  const bare = createAgent({ model, tools, middleware });
  const run = async (id: string, holdfast = here()) => {
    const inRun = withDurability(bare, { holdfast }) as unknown as CompiledMessagesGraph;
    return await holdfast.run(id, async () => lastText(await inRun.invoke(input)));
  };
  return { log, app, run, model, heard: () => JSON.stringify(model.asked.at(-1)) };
}

const asked = async (runId: string) =>
  (await here().questions.list({ runId })).map(({ id, input }) => ({ id, to: (input as { to: string }).to }));

async function questionTo(runId: string, to: string) {
  const question = (await asked(runId)).find((question) => question.to === to);
  if (!question) throw new Error(`nothing is asked about paying ${to}`);
  return question.id;
}

const waiting = async (run: Promise<unknown>) => {
  const error = await run.catch((error: unknown) => error);
  expect(HoldfastError.is(error, "RUN_WAITING") && error.details.waitingOn).toBe("approval");
};

const countOf = async (runId: string, kind: string) =>
  (await here().entries(runId)).filter((entry) => entry.kind === kind).length;

describe("what humanInTheLoopMiddleware asks about, in a run", () => {
  test("is asked by Holdfast, each call by itself; an answer to one lets no other out", async () => {
    const { log, run } = paying();
    const id = crypto.randomUUID();
    await waiting(run(id));
    expect(log).toEqual(["look"]);
    expect((await asked(id)).map(({ to }) => to)).toEqual(["ana", "bob"]);
    await here().questions.answer(await questionTo(id, "bob"), { approve: true, by: "eve" });
    await waiting(run(id, await open()));
    expect(log).toEqual(["look", "bob"]);
    await here().questions.answer(await questionTo(id, "ana"), { approve: true, by: "eve" });
    expect(await run(id, await open())).toBe("done");
    expect(log).toEqual(["look", "bob", "ana"]);
    expect(await countOf(id, "question")).toBe(2); // however often the graph came by
  });

  test("is refused where the answer is no, and the model is told who said so", async () => {
    const { log, run, heard } = paying();
    const id = crypto.randomUUID();
    await waiting(run(id));
    await here().questions.answer(await questionTo(id, "ana"), {
      approve: false,
      by: "eve",
      comment: "wrong ana",
    });
    await here().questions.answer(await questionTo(id, "bob"), { approve: true, by: "eve" });
    expect(await run(id)).toBe("done");
    expect(log).toEqual(["look", "bob"]); // the other one is paid all the same
    expect(heard()).toContain("eve did not approve it: wrong ana");
  });

  test("goes out with other arguments where the answer says so", async () => {
    const { log, run } = paying();
    const id = crypto.randomUUID();
    await waiting(run(id));
    await here().questions.answer(await questionTo(id, "ana"), {
      approve: true,
      input: { to: "anna" },
      by: "eve",
    });
    await here().questions.answer(await questionTo(id, "bob"), { approve: true, by: "eve" });
    expect(await run(id)).toBe("done");
    expect(new Set(log)).toEqual(new Set(["anna", "bob", "look"]));
  });

  test("is not approved with other arguments where the middleware does not allow that", async () => {
    const { log, run } = paying({ pay: { allowedDecisions: ["approve", "reject"] } });
    const id = crypto.randomUUID();
    await waiting(run(id));
    const changed = { approve: true, input: { to: "eve" }, by: "eve" } as const;
    const question = await questionTo(id, "ana");
    await expect(here().questions.answer(question, changed)).rejects.toThrow("(INVALID_ARGUMENT)");
    expect(log).toEqual(["look"]);
  });

  test("is denied where the middleware allows no approval at all", async () => {
    const { log, run, heard } = paying({ pay: { allowedDecisions: ["reject"] } });
    expect(await run(crypto.randomUUID())).toBe("done");
    expect(log).toEqual(["look"]);
    expect(heard()).toContain("it allows no approval");
  });

  test("goes out unasked where the middleware does not ask about it", async () => {
    const { log, run } = paying({ pay: false });
    const id = crypto.randomUUID();
    expect(await run(id)).toBe("done");
    expect(new Set(log)).toEqual(new Set(["ana", "bob", "look"]));
    expect(await countOf(id, "question")).toBe(0);
  });

  test("says why in the middleware's words, and keeps to itself what is not to be recorded", async () => {
    const custom = { allowedDecisions: ["approve"], description: "Money moves." };
    const { run } = paying({ pay: custom, look: true });
    const id = crypto.randomUUID();
    await waiting(run(id, await open({ redact: ["*.to"] })));
    const questions = (await here().questions.list({ runId: id })).map(({ question }) => question);
    expect(questions).toEqual([
      "May look be called? Tool execution requires approval",
      "May pay be called? Money moves.",
      "May pay be called? Money moves.",
    ]);
    expect(JSON.stringify(await here().entries(id))).not.toContain("Args: {\\n");
  });

  test("is asked once where policy asks, too, and never where policy denies", async () => {
    const policy: HoldfastOptions["policy"] = [
      { tool: "pay", when: ({ input }: { input: { to: string } }) => input.to === "ana", then: "deny" },
      { tool: "pay", then: "ask", need: 2, of: ["eve", "joe"] },
    ];
    const { log, run } = paying();
    const id = crypto.randomUUID();
    await waiting(run(id, await open({ policy })));
    const [question, ...more] = await here().questions.list({ runId: id });
    expect(more).toEqual([]);
    expect(question).toMatchObject({ input: { to: "bob" }, need: 2, decision: { own: true } });
    for (const by of ["eve", "joe"]) await here().questions.answer(question?.id ?? "", { approve: true, by });
    expect(await run(id, await open({ policy }))).toBe("done");
    expect(log).toEqual(["look", "bob"]);
  });

  test("is not asked again when a run that has finished is gone through for its value", async () => {
    const { log, app } = paying();
    const holdfast = here();
    const id = crypto.randomUUID();
    const work = async () => {
      const state = await app().invoke(input, newThread());
      return { told: () => lastText(state) }; // no data: it is made again from the record
    };
    const told = async () => (await holdfast.run(id, work)).told();
    await waiting(told());
    for (const { id: question } of await asked(id))
      await holdfast.questions.answer(question, { approve: true, by: "eve" });
    expect([await told(), await told()]).toEqual(["done", "done"]);
    expect(log).toHaveLength(3);
  });
});

interface Stopped {
  readonly __interrupt__?: {
    readonly id: string;
    readonly value: { readonly input: { readonly to: string } };
  }[];
}

describe("what humanInTheLoopMiddleware asks about, on a thread", () => {
  const idFor = ({ __interrupt__ = [] }: Stopped, to: string) =>
    __interrupt__.find(({ value }) => value.input.to === to)?.id ?? "";

  test("is in the state by its question, and is answered by that, in the middleware's words as well", async () => {
    const { log, app, heard } = paying();
    const thread = newThread();
    const stopped = (await app().invoke(input, thread)) as Stopped;
    expect(stopped.__interrupt__?.map(({ value }) => value.input.to)).toEqual(["ana", "bob"]);
    const resume = {
      [idFor(stopped, "ana")]: { type: "edit", editedAction: { name: "pay", args: { to: "anna" } } },
      [idFor(stopped, "bob")]: { type: "reject", message: "he is gone" },
    };
    expect(lastText(await app(await open()).invoke(new Command({ resume }) as never, thread))).toBe("done");
    expect(log).toEqual(["look", "anna"]);
    expect(heard()).toContain("did not approve it: he is gone");
  });

  test("is not answered by decisions in a row, unless there is one of each", async () => {
    const { log, app } = paying();
    const thread = newThread();
    const stopped = (await app().invoke(input, thread)) as Stopped;
    const both = new Command({ resume: { decisions: [{ type: "approve" }, { type: "approve" }] } });
    await expect(app().invoke(both as never, thread)).rejects.toThrow("answers one question");
    const first = new Command({ resume: { [idFor(stopped, "ana")]: true } });
    await app().invoke(first as never, thread);
    await expect(app().invoke(both as never, thread)).rejects.toThrow("answers one question");
    const only = new Command({ resume: { decisions: [{ type: "approve" }] } });
    expect(lastText(await app().invoke(only as never, thread))).toBe("done");
    expect(log).toEqual(["look", "ana", "bob"]);
  });

  test("does not become a call of another tool", async () => {
    const { log, app } = paying();
    const thread = newThread();
    const stopped = (await app().invoke(input, thread)) as Stopped;
    const edit = { type: "edit", editedAction: { name: "look", args: {} } };
    const other = new Command({ resume: { [idFor(stopped, "ana")]: edit } });
    await expect(app().invoke(other as never, thread)).rejects.toThrow("only its arguments may be others");
    expect(log).toEqual(["look"]);
  });

  test("is asked anew under another policy, though the middleware's node is done", async () => {
    const { log, app } = paying();
    const thread = newThread();
    const id = `${thread.configurable.thread_id}#1`;
    const policy = [{ tool: "delete_*", then: "deny" }] as const;
    const approveAll = async () => {
      for (const { id: question } of await asked(id))
        await here().questions.answer(question, { approve: true, by: "eve" });
    };
    await app(await open({ policy, policyVersion: "1" })).invoke(input, thread);
    await approveAll();
    const later = await open({ policy, policyVersion: "2" });
    await app(later).invoke(null, thread);
    expect(log).toEqual(["look"]); // what was approved before holds for nothing now
    expect((await asked(id)).map(({ to }) => to)).toEqual(["ana", "bob"]);
    await approveAll();
    expect(lastText(await app(later).invoke(null, thread))).toBe("done");
    expect(log).toEqual(["look", "ana", "bob"]);
  });
});

test("what no held model has asked for is left to the middleware, and goes nowhere unasked", async () => {
  const log: unknown[] = [];
  const call = { type: "tool_call" as const, id: "call_1", name: "pay", args: { to: "ana" } };
  const made = {
    name: "Made",
    wrapModelCall: async () => new AIMessage({ content: "", tool_calls: [call] }),
  };
  const agent = createAgent({
    model: new ScriptedChat([]),
    tools: [toolOf("pay", () => log.push("pay"))],
    middleware: [humanInTheLoopMiddleware({ interruptOn: { pay: true } }), made],
    checkpointer: new MemorySaver(),
  });
  const app = withDurability(agent, { holdfast: here() }) as unknown as CompiledMessagesGraph;
  const stopped = await app.invoke(input, newThread());
  expect(JSON.stringify(stopped)).toContain("actionRequests");
  expect(log).toEqual([]);
});

test("calls that look the same are asked about alike, and a request for none of them is not taken for none", () => {
  const call = (id: string, to: string) => ({ type: "tool_call" as const, id, name: "pay", args: { to } });
  const answer = new AIMessage({
    content: "",
    tool_calls: [call("1", "ana"), call("2", "ana"), call("3", "bob")],
  });
  const asks = (to: string) => ({
    actionRequests: [{ name: "pay", args: { to } }],
    reviewConfigs: [{ allowedDecisions: ["approve"] }],
  });
  const reviewed = (to: string) => reviewedCalls(answer as never, asks(to))?.map(({ call: { id } }) => id);
  expect(reviewed("ana")).toEqual(["1", "2"]);
  expect(reviewed("eve")).toBeUndefined();
});

test("outside a run the middleware asks as it does", async () => {
  const { log, model } = paying();
  const agent = createAgent({
    model,
    tools: [toolOf("look", () => log.push("look")), toolOf("pay", () => log.push("pay"))],
    middleware: [humanInTheLoopMiddleware({ interruptOn: { pay: true } })],
    checkpointer: new MemorySaver(),
  }) as CompiledMessagesGraph;
  const thread = newThread();
  const stopped = await agent.invoke(input, thread);
  expect(JSON.stringify(stopped)).toContain("actionRequests");
  const decisions = [{ type: "approve" }, { type: "approve" }];
  expect(lastText(await agent.invoke(new Command({ resume: { decisions } }) as never, thread))).toBe("done");
  expect(log).toEqual(["look", "pay", "pay"]);
});
