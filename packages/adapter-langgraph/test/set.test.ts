import { HumanMessage } from "@langchain/core/messages";
import { expect, test } from "vitest";
import { withDurability } from "../src/index.ts";
import { handWritten, lastText, toolOf } from "./graphs.ts";
import { ScriptedChat, type Turn } from "./scripted-chat.ts";
import { newThread, workbench } from "./workbench.ts";

const { here } = workbench({ tools: { look_up: { effect: "read" } } });
const turns: readonly Turn[] = [{ calls: [{ name: "look_up", input: { n: 1 } }] }, { text: "found" }];

/** A model of another maker, which keeps its tools in the options of its calls, as most do. */
class OtherChat extends ScriptedChat {
  override _llmType(): string {
    return "other";
  }
}
class BoundByOptions extends ScriptedChat {
  override bindTools(tools: { name?: string }[]): never {
    return this.withConfig({ tools: tools.map(({ name }) => ({ name })) } as never) as never;
  }
}

async function recorded(model: ScriptedChat) {
  const app = withDurability(handWritten({ model, tools: [toolOf("look_up", () => ({ n: 1 }))] }));
  const thread = newThread();
  const work = async () => lastText(await app.invoke({ messages: [new HumanMessage("Go.")] }, thread));
  const id = `run-${crypto.randomUUID()}`;
  expect(await here().run(id, work)).toBe("found");
  return { id, work };
}

const replay = (id: string, work: () => Promise<string>, model: unknown) =>
  here().replay(id, work, { mode: "counterfactual", set: { model } });

test("a replay asks another chat model of the same kind with the tools that were bound for the graph's own", async () => {
  const { id, work } = await recorded(new BoundByOptions(turns));
  const other = new BoundByOptions([turns[0] as Turn, { text: "found by another" }]);
  expect(await replay(id, work, other)).toMatchObject({ value: "found by another" });
  expect(other.asked).toHaveLength(2);
});

test("a replay refuses a chat model of another kind where tools are bound, and asks none", async () => {
  const { id, work } = await recorded(new BoundByOptions(turns));
  const other = new OtherChat(turns);
  const { error } = await replay(id, work, other);
  expect(String(error)).toContain("tools are bound for scripted, and it is other");
  expect(other.asked).toEqual([]);
});

test("a replay streams with a chat model that does not stream", async () => {
  const { id } = await recorded(new ScriptedChat(turns));
  const whole = new ScriptedChat(turns);
  const base: object = Object.getPrototypeOf(ScriptedChat.prototype);
  Object.assign(whole, { _streamResponseChunks: Reflect.get(base, "_streamResponseChunks") });
  const app = withDurability(
    handWritten({ model: new ScriptedChat(turns), tools: [toolOf("look_up", () => ({ n: 1 }))] }),
  );
  const work = async () => {
    let last = "";
    const chunks = await app.stream(
      { messages: [new HumanMessage("Go.")] },
      { ...newThread(), streamMode: "values" },
    );
    for await (const state of chunks) last = lastText(state as never);
    return last;
  };
  expect(await replay(id, work, whole)).toMatchObject({ value: "found" });
  expect(whole.asked).toHaveLength(2);
});
