import { HoldfastError } from "@holdfast/core";
import pg from "pg";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { withDurability } from "../src/index.ts";
import { calls, ItemModel, says } from "./item-model.ts";
import { versions } from "./versions.ts";
import { newRunId, workbench } from "./workbench.ts";

const { here, elsewhere, cut, open, model, url } = workbench();

interface Event {
  readonly type: string;
  readonly name?: string;
  readonly data?: { readonly type: string; readonly delta?: string };
}

/** What a client sees of an event. Words may come in other pieces. */
const seen = ({ type, name, data }: Event) => [type, name ?? data?.type].join(" ");

async function readAll(stream: AsyncIterable<Event>): Promise<Event[]> {
  const events = [];
  for await (const event of stream) events.push(event);
  return events;
}

const textOf = (events: readonly Event[]) => events.map(({ data }) => data?.delta ?? "").join("");

describe.each(versions)("$name", (version) => {
  const { sdk } = version;
  withDurability(sdk.Runner);
  const { Agent, run } = sdk;
  const tool = (name: string, execute: (...args: never[]) => unknown) =>
    sdk.tool({ name, description: name, parameters: z.object({}), execute });

  test("a stream on record gives the same events again, its words in one piece", async () => {
    const look = tool("look", () => "seen");
    const model = new ItemModel([says("Let me look."), calls("look")], [says("It is done.")]);
    const agent = new Agent({ name: "Streams", model, tools: [look] });
    const runId = newRunId();
    const work = async () => {
      const result = await run(agent, "go", { stream: true });
      const events = await readAll(result);
      await result.completed;
      return { events, result }; // no data: it is rebuilt from the ledger
    };
    const live = await here().run(runId, work);
    const replayed = await elsewhere().run(runId, work);
    const without = (events: Event[]) => events.map(seen).filter((event) => !event.includes("delta"));
    expect(without(replayed.events)).toEqual(without(live.events));
    expect(textOf(live.events)).toBe("Let me look.It is done.");
    expect(textOf(replayed.events)).toBe(textOf(live.events));
    expect(live.events.map(seen).filter((event) => event.includes("delta"))).toHaveLength(6);
    expect([live, replayed].map(({ result }) => result.finalOutput)).toEqual(["It is done.", "It is done."]);
    expect(replayed.result.lastAgent).toBe(agent);
    expect(model.asked).toHaveLength(2);
  });

  test("a run may be streamed and go on whole, and the other way round", async () => {
    const reached = Promise.withResolvers<void>();
    let waits = true;
    const hang = tool("hang", async () => {
      if (!waits) return "at last";
      waits = false;
      reached.resolve();
      return await new Promise(() => {});
    });
    const {
      runner,
      model: name,
      asked,
    } = model(version, { calls: [{ name: "hang", input: {} }] }, { text: "ok" });
    const agent = new Agent({ name: "Both", model: name, tools: [hang] });
    const first = await open();
    const runId = newRunId();
    const streamed = async () => await (await runner.run(agent, "go", { stream: true })).completed;
    const dying = first.run(runId, streamed).catch(() => {});
    await reached.promise;
    await first.close({ graceSeconds: 0 });
    await dying.catch(() => {});
    await here()
      .run(runId, () => runner.run(agent, "go"))
      .catch(() => {});
    const [doubt] = await here().doubts.list({ runId });
    await here().doubts.resolve(runId, doubt?.step ?? "", { didNotHappen: true }, { by: "ana" });
    expect((await here().run(runId, () => runner.run(agent, "go"))).finalOutput).toBe("ok");
    expect(asked().map(({ turn, stream }) => [turn, stream])).toEqual([
      [0, true],
      [1, false],
    ]);
  });

  test("the end of an answer comes to a client only when it is on record", async () => {
    const runId = newRunId();
    const lock = new pg.Client({ connectionString: url() });
    await lock.connect();
    const model = new ItemModel([says("hello")]);
    // Nothing can be appended to the run until the lock is gone.
    model.before = async () => {
      await lock.query("begin");
      await lock.query("select 1 from holdfast.runs where run_id = $1 for update", [runId]);
    };
    const agent = new Agent({ name: "Durable", model });
    const { value, done } = here().stream(runId, () => run(agent, "go", { stream: true }));
    const events: (string | undefined)[] = [];
    const spoke = Promise.withResolvers<void>();
    const read = (async () => {
      for await (const { data } of (await value) as AsyncIterable<Event>) {
        events.push(data?.type);
        if (data?.type === "output_text_delta") spoke.resolve();
      }
    })();
    await spoke.promise;
    for (let i = 0; i < 3; i++) await elsewhere().entries(runId); // time enough for what does not wait
    expect(events).toEqual(["response_started", "output_text_delta"]);
    await lock.query("commit");
    await lock.end();
    await read;
    await done;
    expect(events).toContain("response_done");
  });

  test("a client that goes away stops nothing", async () => {
    const called: string[] = [];
    const look = tool("look", () => void called.push("look"));
    const model = new ItemModel([says("Let me look."), calls("look")], [says("It is done.")]);
    const agent = new Agent({ name: "Left", model, tools: [look] });
    const runId = newRunId();
    const { value, done } = here().stream(runId, () => run(agent, "go", { stream: true }));
    for await (const _ of await value) break;
    await done;
    expect(called).toEqual(["look"]);
    const { value: again } = elsewhere().stream(runId, () => run(agent, "go", { stream: true }));
    expect(textOf(await readAll(await again))).toBe("Let me look.It is done.");
    expect(model.asked).toHaveLength(2);
  });

  test.each(["toStream", "toTextStream"] as const)(
    "a client that cancels what %s gave stops nothing",
    async (how) => {
      const model = new ItemModel([calls("look")], [says("It is done.")]);
      const agent = new Agent({ name: "Cancelled", model, tools: [tool("look", () => "seen")] });
      const runId = newRunId();
      const { value, done } = here().stream(runId, () => run(agent, "go", { stream: true }));
      await (await value)[how]().cancel();
      await done;
      expect(await here().runs.get(runId)).toMatchObject({ status: "succeeded" });
      expect(model.asked).toHaveLength(2);
    },
  );

  test.each(["as text", "as a Node stream"])("a result may be read %s", async (how) => {
    const agent = new Agent({ name: "Text", model: new ItemModel([says("one two three")]) });
    const { value, done } = here().stream(newRunId(), () => run(agent, "go", { stream: true }));
    let text = "";
    const compatibleWithNodeStreams = how === "as a Node stream";
    for await (const part of (await value).toTextStream({ compatibleWithNodeStreams })) text += part;
    await done;
    expect(text).toBe("one two three");
  });

  describe("an error that ends a stream", () => {
    const failing = () => {
      const model = new ItemModel([says("hello")]);
      model.before = () => {
        if (model.asked.length === 1) throw new Error("busy");
      };
      return new Agent({ name: "Fails", model });
    };

    test("fails the run, and its id goes on", async () => {
      const agent = failing();
      const runId = newRunId();
      const work = () => run(agent, "go", { stream: true });
      const { value, done } = here().stream(runId, work);
      await expect(readAll(await value)).rejects.toThrow("busy");
      await expect(done).rejects.toThrow("busy");
      const { value: again, done: ended } = here().stream(runId, work);
      expect(textOf(await readAll(await again))).toBe("hello");
      await ended;
    });

    test("fails the run also where it comes from the SDK", async () => {
      const model = new ItemModel([calls("look")], [says("never")]);
      const agent = new Agent({ name: "Long", model, tools: [tool("look", () => "seen")] });
      const { done } = here().stream(newRunId(), () => run(agent, "go", { stream: true, maxTurns: 1 }));
      await expect(done).rejects.toThrow(/Max turns/);
    });

    test("is the affair of the run's own work where that reads the stream", async () => {
      const agent = failing();
      const work = async () => {
        try {
          return (await readAll(await run(agent, "go", { stream: true }))).length;
        } catch {
          return "dealt with";
        }
      };
      expect(await here().run(newRunId(), work)).toBe("dealt with");
    });
  });

  test("a stream that its caller aborts fails the run, and the same id goes on", async () => {
    const caller = new AbortController();
    const model = new ItemModel([says("hello")]);
    model.before = async ({ signal }) => {
      if (model.asked.length > 1) return;
      caller.abort(new DOMException("The caller went away.", "AbortError"));
      signal?.throwIfAborted();
    };
    const agent = new Agent({ name: "Aborted", model });
    const runId = newRunId();
    const first = here().stream(runId, () => run(agent, "go", { stream: true, signal: caller.signal }));
    await expect(first.done).rejects.toThrow("The caller went away.");
    const again = here().stream(runId, () => run(agent, "go", { stream: true }));
    expect(textOf(await readAll(await again.value))).toBe("hello");
  });

  test("when the run parks, its stream ends with what it waits for, and nobody inside is told of a failure", async () => {
    const reached = Promise.withResolvers<void>();
    const wire = tool("wire", () => {
      reached.resolve();
      return new Promise(() => {});
    });
    const model = new ItemModel([calls("wire")], [says("sent")]);
    const agent = new Agent({ name: "Wires", model, tools: [wire] });
    const told: string[] = [];
    agent.on("agent_end", () => told.push("agent_end"));
    agent.on("agent_tool_end", () => told.push("agent_tool_end"));
    const runId = newRunId();
    const work = () => run(agent, "go", { stream: true });
    const first = await open();
    first.stream(runId, work).done.catch(() => {});
    await reached.promise;
    await first.close({ graceSeconds: 0 });

    const { value, done } = here().stream(runId, work);
    const read = readAll(await value).catch((error: unknown) => error);
    await expect(done).rejects.toMatchObject({ code: "RUN_WAITING" });
    expect(HoldfastError.is(await read, "RUN_WAITING")).toBe(true);
    expect(told).toEqual([]);
    const [doubt] = await here().doubts.list({ runId });
    await here().doubts.resolve(runId, doubt?.step ?? "", { happened: "sent" }, { by: "ana" });
    expect(textOf(await readAll(await here().stream(runId, work).value))).toBe("sent");
  });

  test("an agent as a tool streams to its listeners, live and from the record", async () => {
    const heard: string[] = [];
    const inner = new Agent({ name: "Inner", model: new ItemModel([says("from inside")]) });
    const onStream = ({ event }: { event: Event }) => void heard.push(seen(event));
    const outer = new Agent({
      name: "Outer",
      model: new ItemModel([calls("ask", { input: "q" })], [says("done")]),
      tools: [inner.asTool({ toolName: "ask", toolDescription: "asks", onStream })],
    });
    const runId = newRunId();
    const work = () => run(outer, "go");
    await here().run(runId, work);
    const live = heard.splice(0);
    await elsewhere().run(runId, work);
    const without = (events: string[]) => events.filter((event) => !event.includes("delta"));
    expect(without(heard)).toEqual(without(live));
    expect(live.length).toBeGreaterThan(3);
    expect(inner.model.asked).toHaveLength(1);
  });

  test("tools that a stream calls are called once, whenever its process dies", async () => {
    const reached = Promise.withResolvers<void>();
    const called: string[] = [];
    const step = (name: string, waits = false) =>
      tool(name, async () => {
        called.push(name);
        if (!waits || called.filter((each) => each === name).length > 1) return name;
        reached.resolve();
        return await new Promise(() => {});
      });
    const model = new ItemModel([calls("one"), calls("two")], [calls("three")], [says("done")]);
    const agent = new Agent({ name: "Steps", model, tools: [step("one"), step("two", true), step("three")] });
    const work = async () => textOf(await readAll(await run(agent, "go", { stream: true })));
    await expect(cut(reached.promise, work)).rejects.toMatchObject({ code: "RUN_WAITING" });
    expect(called).toEqual(["one", "two"]);
  });
});
