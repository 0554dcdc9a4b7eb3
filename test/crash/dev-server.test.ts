import { afterAll, beforeAll, expect, type TestContext, test } from "vitest";
import type { Turn } from "../../packages/adapter-vercel-ai/test/scripted-model.ts";
import { DevServer, forgetSaved, savedByServer } from "./dev-server/server.ts";
import { inTurn, says, scene, text, turnsOf } from "./scene.ts";

const { model, downstream, hf, places, asked, seen } = scene();

beforeAll(forgetSaved);
afterAll(forgetSaved);

interface State {
  readonly messages: readonly { readonly content: unknown }[];
  readonly __interrupt__?: readonly { readonly id: string; readonly value: unknown }[];
}

/** A thread of the server's, and a model of its own for the agent on it. */
function given({ onTestFinished }: TestContext, graph: string, ...turns: readonly Turn[]) {
  const thread = crypto.randomUUID();
  model.script(thread, ...turns);
  const call = { assistant_id: graph, if_not_exists: "create" };
  const input = { messages: [{ role: "user", content: "Do the steps." }] };
  return {
    thread,
    start: async () => {
      const { database, modelUrl, downstreamUrl } = places();
      const server = await DevServer.start({
        DATABASE_URL: database,
        MODEL_URL: modelUrl,
        MODEL_ID: thread,
        DOWNSTREAM_URL: downstreamUrl,
      });
      onTestFinished(() => server.kill());
      return {
        kill: () => server.kill(),
        begin: () =>
          server.ask("POST", `/threads/${thread}/runs`, { ...call, input }) as Promise<{ run_id: string }>,
        wait: (more: object = { input }) =>
          server.ask("POST", `/threads/${thread}/runs/wait`, { ...call, ...more }) as Promise<State>,
        drop: (run: string) => server.ask("DELETE", `/threads/${thread}/runs/${run}`),
      };
    },
    asked: () => asked(thread),
    ...seen(thread),
  };
}

const untilSaved = (thread: string) => expect.poll(savedByServer, { timeout: 30_000 }).toContain(thread);

test.for([
  { graph: "hand-written", saved: false, had: "had saved nothing" },
  { graph: "agent", saved: true, had: "had saved that the run is under way" },
])(
  "a graph that the LangGraph dev server serves ($graph) goes on where it was when the server is killed inside a tool, and $had",
  async ({ graph, saved }, context) => {
    const { thread, start, asked, tools, keysOf } = given(context, graph, ...inTurn);
    const { arrived } = downstream.withhold(thread, "step2");
    const first = await start();
    const { run_id: left } = await first.begin();
    await arrived;
    if (saved) await untilSaved(thread);
    await first.kill();
    if (!saved) await forgetSaved();
    expect([asked(), tools()]).toEqual([
      [0, 1],
      ["step1", "step2"],
    ]);

    const second = await start();
    if (saved) await second.drop(left); // the server never ends it, and lets no other one begin beside it
    const { messages } = await second.wait({ input: null });
    expect(messages.at(-1)?.content).toBe(text);
    expect(asked()).toEqual(turnsOf(inTurn));
    expect(tools()).toEqual(["step1", "step2", "step2", "step3"]);
    expect(new Set(keysOf("step2")).size).toBe(1);
    expect(await hf().runs.get(`${thread}#1`)).toMatchObject({
      status: "succeeded",
      attempts: { crashes: 1 },
    });
  },
);

test("what policy asks comes out of the LangGraph dev server as an interrupt, and a command that it is sent answers it", async (context) => {
  const wires = { calls: [{ name: "wire", input: {} }] };
  const { thread, start, tools } = given(context, "agent", says(1), wires, { text });
  const server = await start();
  const { __interrupt__: asked = [] } = await server.wait();
  expect(asked).toEqual([
    expect.objectContaining({ value: expect.objectContaining({ asks: "approval", name: "wire" }) }),
  ]);
  expect(tools()).toEqual(["step1"]);

  const resume = { [asked[0]?.id ?? ""]: { approve: true, by: "ana" } };
  const { messages } = await server.wait({ command: { resume } });
  expect(messages.at(-1)?.content).toBe(text);
  expect(tools()).toEqual(["step1", "wire"]);
  expect(await hf().runs.get(`${thread}#1`)).toMatchObject({ status: "succeeded" });
});
