import type { Policy } from "@holdfast/core";
import type { Turn } from "../../../packages/adapter-vercel-ai/test/scripted-model.ts";

/*
 * What agents are told to do whose runs stand in the folders beside this one. Each framework's file builds them in its own
 * idiom. They are never changed: what a version has written, every later one must replay. A new shape gets a new scene.
 */

export interface Scene {
  /** What its model says, turn by turn. */
  readonly turns: readonly Turn[];
  /** What its tools do, by name. */
  readonly tools?: Readonly<Record<string, (input: never) => unknown>>;
  /** An agent that a tool of this one asks: `research`. */
  readonly inner?: Scene;
  /** An agent that goes on where this one ends: a second turn of the chat, a handoff, a subgraph. */
  readonly then?: Scene;
  readonly streams?: true;
  /** What stands between the model and the tools as it is recorded. What it asks is approved. */
  readonly policy?: Policy;
}

/** Gives back the work of an agent; `baseURL` is that of its model. */
export type Build = (
  name: string,
  scene: Scene,
  baseURL: string,
) => (input: { who: string }) => Promise<string>;

export const PROMPT = "You answer customers.\nBe kind.";

const look = { calls: [{ name: "look_up", input: { order: "42" } }] };
const pay = { calls: [{ name: "pay", input: { cents: 3900 } }] };
const done = { text: "39.00 is on its way." };
const tools = {
  look_up: () => ({ order: "42", cents: 3900 }),
  pay: ({ cents }: { cents: number }) => ({ paid: cents }),
};

export const scenes: Readonly<Record<string, Scene>> = {
  "an answer": { turns: [{ text: "Hello." }] },
  "a tool": { turns: [look, done], tools },
  "tools in turn": { turns: [look, pay, done], tools },
  "tools side by side": { turns: [{ calls: [...look.calls, ...pay.calls] }, done], tools },
  "a tool that throws": {
    turns: [pay, { text: "Sorry." }],
    tools: {
      pay: () => {
        // Without a stack: that would name a place on the machine that records it.
        throw Object.assign(new RangeError("the till is closed"), { stack: "" });
      },
    },
  },
  "a stream": { turns: [look, done], tools, streams: true },
  "an approval": { turns: [look, pay, done], tools, policy: [{ tool: "pay", then: "ask" }] },
  "a refusal": {
    turns: [pay, { text: "Sorry." }],
    tools,
    policy: [{ tool: "pay", then: "deny", reason: "the till is closed" }],
  },
  "an agent in a tool": {
    turns: [{ calls: [{ name: "research", input: { input: "kettles" } }] }, done],
    inner: { turns: [look, { text: "Kettles boil." }], tools },
  },
  "an agent after another": {
    turns: [{ text: "Over to payments." }],
    then: { turns: [pay, done], tools },
  },
};

/** What the models of a scene say, by their names. An agent that goes on finds one answer in its conversation already. */
export function scriptsOf(
  name: string,
  { turns, inner, then }: Scene,
  handsOver: Turn | undefined,
): Record<string, readonly Turn[]> {
  return {
    [name]: then && handsOver ? [handsOver] : turns,
    ...(inner ? scriptsOf(`${name}-inner`, inner, handsOver) : {}),
    ...(then ? scriptsOf(`${name}-then`, { ...then, turns: [{ text: "" }, ...then.turns] }, handsOver) : {}),
  };
}
