import { openHoldfast } from "@holdfast/core";
import { afterAll, beforeAll, expect, type TestContext, test } from "vitest";
import { ScriptedModel, type Turn } from "../../packages/adapter-vercel-ai/test/scripted-model.ts";
import { freshDatabase } from "../fresh-database.ts";
import { DevServer, forgetSaved, savedByServer } from "./dev-server/server.ts";
import { Downstream } from "./downstream.ts";

const model = new ScriptedModel();
const downstream = new Downstream();
let database: Awaited<ReturnType<typeof freshDatabase>>;
let hf: Awaited<ReturnType<typeof openHoldfast>>;

beforeAll(async () => {
  await Promise.all([model.listen(), downstream.listen(), forgetSaved()]);
  database = await freshDatabase();
  hf = await openHoldfast({ database: database.url });
});
afterAll(async () => {
  await hf.close();
  model.close();
  downstream.close();
  await Promise.all([database.drop(), forgetSaved()]);
});

interface State {
  readonly messages: readonly { readonly content: unknown }[];
  readonly __interrupt__?: readonly { readonly id: string; readonly value: unknown }[];
}

/** A thread of the server's, and a model of its own for the agent on it. */
function given({ onTestFinished }: TestContext, graph: string, ...turns: readonly Turn[]) {
  const thread = crypto.randomUUID();
  model.script(thread, ...turns);
  const asked = { assistant_id: graph, if_not_exists: "create" };
  const input = { messages: [{ role: "user", content: "Do the steps." }] };
  return {
    thread,
    start: async () => {
      const server = await DevServer.start({
        DATABASE_URL: database.url,
        MODEL_URL: model.url,
        MODEL_ID: thread,
        DOWNSTREAM_URL: downstream.url,
      });
      onTestFinished(() => server.kill());
      return {
        kill: () => server.kill(),
        begin: () =>
          server.ask("POST", `/threads/${thread}/runs`, { ...asked, input }) as Promise<{ run_id: string }>,
        wait: (call: object = { input }) =>
          server.ask("POST", `/threads/${thread}/runs/wait`, { ...asked, ...call }) as Promise<State>,
        drop: (run: string) => server.ask("DELETE", `/threads/${thread}/runs/${run}`),
      };
    },
    asked: () => model.asked(thread).map(({ turn }) => turn),
    calls: () => downstream.calls(thread).map(({ tool }) => tool),
    keysOf: (tool: string) =>
      new Set(downstream.calls(thread).flatMap((call) => (call.tool === tool ? [call.key] : []))),
  };
}

const untilSaved = (thread: string) => expect.poll(savedByServer, { timeout: 30_000 }).toContain(thread);

const says = (name: string): Turn => ({ calls: [{ name, input: {} }] });
const steps = [says("step1"), says("step2"), says("step3"), { text: "Done." }];

test.for([
  { graph: "hand-written", saved: false, had: "had saved nothing" },
  { graph: "agent", saved: true, had: "had saved that the run is under way" },
])(
  "a graph that the LangGraph dev server serves ($graph) goes on where it was when the server is killed inside a tool, and $had",
  async ({ graph, saved }, context) => {
    const { thread, start, asked, calls, keysOf } = given(context, graph, ...steps);
    const { arrived } = downstream.withhold(thread, "step2");
    const first = await start();
    const { run_id: left } = await first.begin();
    await arrived;
    if (saved) await untilSaved(thread);
    await first.kill();
    if (!saved) await forgetSaved();
    expect([asked(), calls()]).toEqual([
      [0, 1],
      ["step1", "step2"],
    ]);

    const second = await start();
    if (saved) await second.drop(left); // the server never ends it, and lets no other one begin beside it
    const { messages } = await second.wait({ input: null });
    expect(messages.at(-1)?.content).toBe("Done.");
    expect(asked()).toEqual([0, 1, 2, 3]);
    expect(calls()).toEqual(["step1", "step2", "step2", "step3"]);
    expect(keysOf("step2").size).toBe(1);
    expect(await hf.runs.get(`${thread}#1`)).toMatchObject({ status: "succeeded", attempts: { crashes: 1 } });
  },
);

test("what policy asks comes out of the LangGraph dev server as an interrupt, and a command that it is sent answers it", async (context) => {
  const { thread, start, calls } = given(context, "agent", says("step1"), says("wire"), { text: "Done." });
  const server = await start();
  const { __interrupt__: asked = [] } = await server.wait();
  expect(asked).toEqual([
    expect.objectContaining({ value: expect.objectContaining({ asks: "approval", name: "wire" }) }),
  ]);
  expect(calls()).toEqual(["step1"]);

  const resume = { [asked[0]?.id ?? ""]: { approve: true, by: "ana" } };
  const { messages } = await server.wait({ command: { resume } });
  expect(messages.at(-1)?.content).toBe("Done.");
  expect(calls()).toEqual(["step1", "wire"]);
  expect(await hf.runs.get(`${thread}#1`)).toMatchObject({ status: "succeeded" });
});
