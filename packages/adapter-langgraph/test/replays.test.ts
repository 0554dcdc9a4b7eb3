import { type BaseCheckpointSaver, MemorySaver } from "@langchain/langgraph";
import { describe, expect, test } from "vitest";
import { HoldfastSaver, withDurability } from "../src/index.ts";
import { handWritten, lastText, toolOf } from "./graphs.ts";
import { ScriptedChat } from "./scripted-chat.ts";
import { newThread, workbench } from "./workbench.ts";

const { here } = workbench({ tools: { look: { effect: "read" } } });
const say = (content: string) => ({ messages: [{ role: "user", content }] });

async function checkpointsOf(saver: BaseCheckpointSaver, thread: ReturnType<typeof newThread>) {
  const ids: unknown[] = [];
  for await (const { checkpoint } of saver.list(thread)) ids.push(checkpoint.id);
  return ids;
}

describe.each([
  ["a checkpointer of its own", () => new MemorySaver()],
  ["HoldfastSaver", () => new HoldfastSaver(here())],
])("a run inside hf.run whose graph is on %s", (_, newSaver) => {
  /** Two calls on one thread, and what is said of the thread between and after them. */
  function given() {
    const saver = newSaver();
    const turns = [{ calls: [{ name: "look", input: {} }] }, { text: "one" }, { text: "two" }];
    const tools = [toolOf("look", () => ({ ok: true }))];
    const app = withDurability(handWritten({ model: new ScriptedChat(turns), tools, checkpointer: saver }), {
      holdfast: here(),
    });
    const thread = newThread();
    const work = async () => {
      await app.invoke(say("Go."), thread);
      await app.updateState(thread, say("By the way."));
      const before = (await app.getState(thread)).values.messages.length;
      const text = lastText(await app.invoke(say("And?"), thread));
      let states = 0;
      for await (const state of app.getStateHistory(thread)) states += state.next.length > 0 ? 1 : 0;
      return { before, text, states };
    };
    return { saver, app, thread, work };
  }

  test("is replayed on a thread of the replay's own, and that of the run stays as it is", async () => {
    const { saver, thread, work } = given();
    const id = `replays-${crypto.randomUUID()}`;
    const value = await here().run(id, work);
    expect(value).toMatchObject({ before: 5, text: "two" });
    const ids = await checkpointsOf(saver, thread);
    expect(await here().replay(id, work)).toMatchObject({ follows: true, value });
    expect(await here().replay(id, work, { mode: "mock-tools" })).toMatchObject({ value });
    expect(await checkpointsOf(saver, thread)).toEqual(ids);
  });

  test("is replayed without what its thread held before it: there it departs from its record", async () => {
    const { app, thread, work } = given();
    await app.updateState(thread, say("Earlier."));
    const id = `replays-${crypto.randomUUID()}`;
    await here().run(id, work);
    const { departures } = await here().replay(id, work);
    expect(departures[0]).toMatchObject({ at: "diverged", lane: "LangGraph.0/agent(1).0" });
  });
});
