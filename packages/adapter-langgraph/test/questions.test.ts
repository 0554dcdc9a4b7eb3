import { Command } from "@langchain/langgraph";
import { describe, expect, test } from "vitest";
import { withDurability } from "../src/index.ts";
import { idioms, lastText, type Parts, toolOf } from "./graphs.ts";
import { ScriptedChat } from "./scripted-chat.ts";
import { newThread, workbench } from "./workbench.ts";

const policy = [{ name: "money", tool: "pay", then: "ask", reason: "it moves money" }] as const;
const { here, open } = workbench({ policy, tools: { look: { effect: "read" } } });
const input = { messages: [{ role: "user", content: "Go." }] };

interface Stopped {
  readonly __interrupt__?: { readonly id: string; readonly value: object }[];
}

/** An agent that looks, and pays two people in one turn. */
function paying(make: (parts: Parts) => ReturnType<(typeof idioms)[string]>) {
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
  const graph = make({ model, tools });
  return { log, graph: (holdfast = here()) => withDurability(graph, { holdfast }) };
}

const answerFor = (stopped: Stopped, to: string, answer: unknown) => {
  const asked = stopped.__interrupt__?.find(({ value }) => JSON.stringify(value).includes(to));
  return new Command({ resume: { [asked?.id ?? ""]: answer } }) as never;
};

describe.each(Object.entries(idioms))("what policy asks about %s", (_, make) => {
  test("is in the state that the graph returns, and each answer lets out the call that it was given for", async () => {
    const { log, graph } = paying(make);
    const thread = newThread();
    const stopped = (await graph().invoke(input, thread)) as Stopped;
    expect(stopped.__interrupt__?.map(({ value }) => value)).toEqual([
      expect.objectContaining({ asks: "approval", name: "pay", input: { to: "ana" } }),
      expect.objectContaining({ asks: "approval", name: "pay", input: { to: "bob" } }),
    ]);
    expect(log).toEqual(["look"]);

    const left = (await graph(await open()).invoke(
      answerFor(stopped, "bob", { approve: true, by: "eve" }),
      thread,
    )) as Stopped;
    expect(left.__interrupt__).toHaveLength(1);
    expect(log).not.toContain("ana");
    const state = await graph(await open()).invoke(answerFor(stopped, "ana", false), thread);
    expect(lastText(state)).toBe("done");
    expect(log).toEqual(["look", "bob"]);
    const entries = await here().entries(`${thread.configurable.thread_id}#1`);
    expect(entries.flatMap((entry) => (entry.kind === "answer" ? [entry.by] : []))).toEqual([
      "eve",
      "Command({ resume })",
    ]);
  });

  test("is not answered by a command that does not say which question it is for", async () => {
    const { log, graph } = paying(make);
    const thread = newThread();
    await graph().invoke(input, thread);
    const answered = graph().invoke(new Command({ resume: true }) as never, thread);
    await expect(answered).rejects.toThrow("answers one question");
    expect(log).toEqual(["look"]);
  });
});
