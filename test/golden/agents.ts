import { current, now, once, type Port, randomUUID, step } from "@holdfast/core";

/*
 * The agents whose runs stand in the folders beside this file, one folder for each version that wrote them. They are never
 * changed: what a version has written, every later one must replay. A new shape of ledger gets a new agent.
 */

const port = (): Port => {
  const here = current();
  if (!here) throw new Error("an agent runs in a run");
  return here;
};

interface Said {
  readonly text: string;
  readonly calls?: readonly { readonly id: string; readonly name: string; readonly input: unknown }[];
}

const ask = (messages: readonly unknown[], answer: Said): Promise<Said> =>
  port().step<Said>(
    {
      kind: "model",
      name: "acme/golden-1",
      input: { messages, temperature: 0, tools: [{ name: "look_up", schema: { type: "object" } }] },
      emits: ({ calls = [] }) => calls,
      usage: () => ({ inputTokens: 100, cachedInputTokens: 40, outputTokens: 20 }),
    },
    () => answer,
  );

const tool = <T>(name: string, input: unknown, output: () => T | Promise<T>, id?: string) =>
  port().step<T>({ kind: "tool", name, input, ...(id === undefined ? {} : { id }) }, output);

type Agent = (input: { readonly who: string }) => Promise<unknown>;

export const agents: Readonly<Record<string, Agent>> = {
  steps: async ({ who }) => {
    const at = now();
    const first = await step("greet", () => `Hello, ${who}.`);
    const second = await once("count", () => first.length);
    const known = await step("look", () => ({ found: true }), { effect: "read", input: { second } });
    return { at, id: randomUUID(), second, known };
  },

  "a turn with a tool": async ({ who }) => {
    const system = { role: "system", content: "Be kind.\nBe brief." };
    const calls = [{ id: "call_1", name: "look_up", input: JSON.stringify({ who }) }];
    await ask([system, { role: "user", content: who }], { text: "", calls });
    const found = await tool("look_up", { who }, () => ({ cents: 3900 }), "call_1");
    return (await ask([system, { role: "user", content: who }, found], { text: "39.00" })).text;
  },

  "tools side by side": async ({ who }) => {
    const input = (n: number) => ({ who, n });
    const calls = [1, 2, 3].map((n) => ({ id: `call_${n}`, name: "look_up", input: input(n) }));
    await ask(["three"], { text: "", calls });
    return await Promise.all(calls.map(({ id, input }) => tool("look_up", input, () => input.n * 2, id)));
  },

  "agents side by side": async () =>
    await Promise.all(
      ["one", "other"].map((name) =>
        port().lane("researcher", async () => {
          await ask([name], { text: "" });
          return await step("note", () => name, { input: { name } });
        }),
      ),
    ),

  "an agent in a tool": async ({ who }) =>
    await tool(
      "research",
      { who },
      async () => await port().lane("inner", () => ask(["inner"], { text: who })),
    ),

  "a tool that throws": async () => {
    const failed = await tool("pay", { cents: 1 }, () => Promise.reject(new RangeError("too little"))).catch(
      (error: Error) => `${error.name}: ${error.message}`,
    );
    return (await ask(["it failed", failed], { text: "sorry" })).text;
  },

  "values of every kind": async () => {
    const value = await step("values", () => ({
      date: new Date(0),
      big: 2n ** 70n,
      map: new Map([["a", new Set([1, 2])]]),
      bytes: new Uint8Array([1, 2, 3]),
      url: new URL("https://example.com/?a=1"),
      missing: undefined,
      nothing: -0,
      half: "\ud83d",
    }));
    await ask([value.bytes, value.date, { $sign: 1 }], { text: "" });
    return value;
  },

  "a run that fails": async ({ who }) => {
    await step("try", () => who);
    throw new TypeError("it cannot be done", { cause: { code: 7 } });
  },
};
