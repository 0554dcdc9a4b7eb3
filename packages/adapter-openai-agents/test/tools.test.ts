import { idempotencyKey } from "@holdfast/core";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { withDurability } from "../src/index.ts";
import { calls, type Item, ItemModel, says } from "./item-model.ts";
import { versions } from "./versions.ts";
import { newRunId, workbench } from "./workbench.ts";

const { here, elsewhere, twice, cut, open } = workbench({ tools: { "*": { effect: "idempotent" } } });
const strict = workbench();

const empty = z.object({});

describe.each(versions)("$name", ({ sdk, abortsTools }) => {
  withDurability(sdk.Runner);
  withDurability(sdk.Runner, { hosted: { file_search: "read" } }); // said later, it counts as well
  const { Agent, run, tool } = sdk;

  const made = (name: string, execute: (...args: never[]) => unknown, more: object = {}) =>
    tool({ name, description: name, parameters: empty, execute, ...more });
  const outputsOf = (result: { newItems: { type: string; output: unknown }[] }) =>
    result.newItems.flatMap(({ type, output }) => (type === "tool_call_output_item" ? [output] : []));

  test("a tool is given the key of its call, the same when it is called again", async () => {
    const keys: string[] = [];
    const reached = Promise.withResolvers<void>();
    const pay = made("pay", () => {
      keys.push(idempotencyKey());
      if (keys.length > 1) return "paid";
      reached.resolve();
      return new Promise(() => {});
    });
    const agent = new Agent({
      name: "Pays",
      model: new ItemModel([calls("pay")], [says("ok")]),
      tools: [pay],
    });
    await cut(reached.promise, () => run(agent, "go"));
    expect(keys).toHaveLength(2);
    expect(new Set(keys).size).toBe(1);
  });

  test("a tool's own time limit is its outcome, the same on a replay", async () => {
    let late: (() => void) | undefined;
    const slow = made(
      "slow",
      () =>
        new Promise((resolve) => {
          late = () => resolve("late");
        }),
      { timeoutMs: 20 },
    );
    const model = new ItemModel([calls("slow")], [says("ok")]);
    const agent = new Agent({ name: "Slow", model, tools: [slow] });
    const runId = newRunId();
    const live = await here().run(runId, () => run(agent, "go"));
    late?.();
    const replayed = await elsewhere().run(runId, () => run(agent, "go"));
    expect(outputsOf(live)).toEqual(["Tool 'slow' timed out after 20ms."]);
    expect(outputsOf(replayed)).toEqual(outputsOf(live));
    const recorded = (await here().entries(runId)).find(
      (entry) => entry.kind === "observation" && entry.name === "slow",
    );
    expect(recorded).toMatchObject({ output: "Tool 'slow' timed out after 20ms." });
  });

  test("what tools change in the context of their run is there on a replay, whichever ended first", async () => {
    interface Shop {
      context: { cart: string[] };
    }
    const put = made("put", async (_: object, { context }: Shop) => {
      await new Promise((resolve) => setImmediate(resolve));
      context.cart.push("first asked");
      return { ok: true };
    });
    const put_quickly = made(
      "put_quickly",
      (_: object, { context }: Shop) => void context.cart.push("first done"),
    );
    const model = new ItemModel([calls("put"), calls("put_quickly")], [says("ok")]);
    const agent = new Agent({ name: "Shop", model, tools: [put, put_quickly] });
    const [live, replayed] = await twice(() => run(agent, "go", { context: { cart: [] } }));
    expect(live.state._context.context).toEqual({ cart: ["first done", "first asked"] });
    expect(replayed.state._context.context).toEqual(live.state._context.context);
    expect(outputsOf(replayed)).toEqual(outputsOf(live));
  });

  test("an error that is thrown on to the run is thrown again from the record", async () => {
    let calledFor = 0;
    const breaks = made(
      "breaks",
      () => {
        calledFor++;
        throw new Error("out of stock");
      },
      { errorFunction: null },
    );
    const agent = new Agent({ name: "Breaks", model: new ItemModel([calls("breaks")]), tools: [breaks] });
    const runId = newRunId();
    for (const hf of [here(), elsewhere()]) {
      await expect(hf.run(runId, () => run(agent, "go"))).rejects.toThrow(/out of stock/);
    }
    expect(calledFor).toBe(1);
  });

  test("an output that cannot be kept is told to the model, and the tool is not called again", async () => {
    let calledFor = 0;
    class Client {}
    const odd = made("odd", () => {
      calledFor++;
      return { client: new Client() };
    });
    const agent = new Agent({
      name: "Odd",
      model: new ItemModel([calls("odd")], [says("ok")]),
      tools: [odd],
    });
    const [live, replayed] = await twice(() => run(agent, "go"));
    expect(outputsOf(live)[0]).toMatch(/NOT_SERIALIZABLE/);
    expect(outputsOf(replayed)).toEqual(outputsOf(live));
    expect(calledFor).toBe(1);
  });

  test.runIf(abortsTools)("a tool whose caller aborts it is in doubt, and is not called again", async () => {
    const caller = new AbortController();
    const reached = Promise.withResolvers<void>();
    let calledFor = 0;
    const wire = made("wire", async (_: object, __: object, { signal }: { signal: AbortSignal }) => {
      calledFor++;
      reached.resolve();
      await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
    });
    const agent = new Agent({
      name: "Wires",
      model: new ItemModel([calls("wire")], [says("ok")]),
      tools: [wire],
    });
    const runId = newRunId();
    const hf = strict.here();
    const first = hf.run(runId, () => run(agent, "go", { signal: caller.signal }));
    await reached.promise;
    caller.abort(new DOMException("The caller went away.", "AbortError"));
    await expect(first).rejects.toBeInstanceOf(Error);
    await expect(hf.run(runId, () => run(agent, "go"))).rejects.toMatchObject({ code: "RUN_WAITING" });
    expect(calledFor).toBe(1);
  });

  test("a function tool that reaches the model unheld fails the run before the model is asked", async () => {
    const model = new ItemModel([calls("sneaky")], [says("ok")]);
    const agent = new Agent({ name: "Sneaks", model });
    agent.getAllTools = async () => [made("sneaky", () => "done")];
    const failed = here().run(newRunId(), async () => await run(agent, "go").catch(() => "swallowed"));
    await expect(failed).rejects.toMatchObject({
      code: "UNHELD_CALL",
      message: expect.stringContaining("sneaky"),
    });
    expect(model.asked).toEqual([]);
  });

  describe("tools that the provider runs", () => {
    const hosted = (name: string) => ({ type: "hosted_tool", name, providerData: { type: name } });
    const intents = async (runId: string) =>
      (await here().entries(runId)).flatMap((entry) => (entry.kind === "intent" ? [entry.step] : []));

    test("make a model call one that may not be repeated", async () => {
      const reached = Promise.withResolvers<void>();
      const model = new ItemModel([says("found")]);
      model.before = () => {
        reached.resolve();
        return new Promise(() => {});
      };
      const agent = new Agent({ name: "Searches", model, tools: [hosted("web_search")] });
      const runId = newRunId();
      const first = await open();
      const dying = first.run(runId, () => run(agent, "go")).catch(() => {});
      await reached.promise;
      await first.close({ graceSeconds: 0 });
      await dying;
      await expect(here().run(runId, () => run(agent, "go"))).rejects.toMatchObject({
        code: "RUN_WAITING",
        details: { waitingOn: "doubt" },
      });
      expect(model.asked).toHaveLength(1);
    });

    test("make no difference where they are said to do no harm", async () => {
      const model = new ItemModel([says("found")]);
      const agent = new Agent({ name: "Reads", model, tools: [hosted("file_search")] });
      const runId = newRunId();
      await here().run(runId, () => run(agent, "go"));
      expect(await intents(runId)).toEqual([]);
    });

    test("and a conversation that the provider keeps, is one that may not be repeated", async () => {
      const agent = new Agent({ name: "Kept", model: new ItemModel([says("hello")]) });
      const runId = newRunId();
      await here().run(runId, () => run(agent, "go", { conversationId: "conv_1" }));
      expect(await intents(runId)).toHaveLength(1);
    });

    test("leave no secrets in the ledger", async () => {
      const agent = new Agent({
        name: "Signed in",
        model: new ItemModel([says("hello")]),
        modelSettings: { providerData: { extraHeaders: { "x-tenant-secret": "s3cret-header" } } },
        tools: [
          {
            type: "hosted_tool",
            name: "hosted_mcp",
            providerData: {
              type: "mcp",
              server_label: "crm",
              server_url: "https://crm.example/mcp",
              authorization: "s3cret-token",
              headers: { "x-key": "s3cret-key" },
            },
          },
        ],
      });
      const runId = newRunId();
      await here().run(runId, () => run(agent, "go"));
      const [step] = await intents(runId);
      const request = JSON.stringify(await here().request(runId, step ?? ""));
      expect(request).toContain("crm.example");
      expect(request).not.toContain("s3cret");
    });
  });

  test("a shell, an editor and a computer act once", async () => {
    const acted: string[] = [];
    const shell = {
      run: async ({ commands }: { commands: string[] }) => {
        acted.push(...commands);
        return { output: [{ stdout: "hi", stderr: "", outcome: { type: "exit", exitCode: 0 } }] };
      },
    };
    const edit = (what: string) => async () => {
      acted.push(what);
      return { status: "completed", output: what };
    };
    const editor = { createFile: edit("create"), updateFile: edit("update"), deleteFile: edit("delete") };
    class Browser {
      readonly environment = "browser";
      readonly dimensions = [800, 600];
      #clicks = 0;
      async click() {
        acted.push(`click ${++this.#clicks}`);
      }
      async screenshot() {
        return `shot${this.#clicks}`;
      }
      async doubleClick() {}
      async drag() {}
      async keypress() {}
      async move() {}
      async scroll() {}
      async type() {}
      async wait() {}
    }
    const call = (type: string, more: object): Item => ({
      type,
      callId: `call_${crypto.randomUUID()}`,
      status: "completed",
      ...more,
    });
    const model = new ItemModel(
      [
        call("shell_call", { action: { commands: ["ls"] } }),
        call("shell_call", { action: { commands: ["ls"] } }),
      ],
      [call("apply_patch_call", { operation: { type: "create_file", path: "a.txt", diff: "+a" } })],
      [call("computer_call", { action: { type: "click", x: 1, y: 2, button: "left" } })],
      [says("ok")],
    );
    const tools = () => [
      sdk.shellTool({ shell }),
      sdk.applyPatchTool({ editor }),
      sdk.computerTool({ computer: async () => new Browser() }),
    ];
    const agent = new Agent({ name: "Local", model, tools: tools() });
    const runId = newRunId();
    const live = await here().run(runId, () => run(agent, "go"));
    const replayed = await elsewhere().run(runId, () => run(agent, "go"));
    expect(live.finalOutput).toBe("ok");
    expect(outputsOf(replayed)).toEqual(outputsOf(live));
    expect(JSON.stringify(outputsOf(live))).toContain("shot1");
    expect(acted).toEqual(["ls", "ls", "create", "click 1"]);
    const intents = (await here().entries(runId)).filter((entry) => entry.kind === "intent");
    expect(intents.map(({ name }) => name)).toEqual([
      "shell",
      "shell",
      "apply_patch",
      "computer.click",
      "computer.screenshot",
    ]);
    expect(new Set(intents.map(({ key }) => key)).size).toBe(5);
  });
});
