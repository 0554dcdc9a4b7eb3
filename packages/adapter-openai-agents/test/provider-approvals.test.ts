import { HoldfastError } from "@holdfast/core";
import { describe, expect, test } from "vitest";
import { withDurability } from "../src/index.ts";
import { calls, type Item, ItemModel, says } from "./item-model.ts";
import { versions } from "./versions.ts";
import { newRunId, workbench } from "./workbench.ts";

const { here, elsewhere } = workbench();
const governed = workbench({
  policy: [{ tool: "crm.delete_*", then: "deny", reason: "nothing is deleted here" }],
});

/** What the provider answers instead of calling a tool of a hosted server that needs an approval. */
const asks = (name: string, input: object = {}): Item => ({
  type: "hosted_tool_call",
  name: "mcp_approval_request",
  id: `mcpr_${name}`,
  status: "in_progress",
  providerData: {
    type: "mcp_approval_request",
    id: `mcpr_${name}`,
    name,
    arguments: JSON.stringify(input),
    server_label: "crm",
  },
});

const clicks = (more: object = {}): Item => ({
  type: "computer_call",
  callId: `call_${crypto.randomUUID()}`,
  status: "completed",
  action: { type: "click", x: 1, y: 2, button: "left" },
  ...more,
});

describe.each(versions)("$name", ({ sdk }) => {
  // Model calls with hosted tools may have acted. These do no harm.
  withDurability(sdk.Runner, { hosted: { hosted_mcp: "read" } });
  const { Agent, run, tool } = sdk;

  /** Runs until somebody is asked, and gives that question. */
  async function asked(hf: ReturnType<typeof here>, runId: string, work: () => Promise<unknown>) {
    const error = await hf.run(runId, work).catch((error: unknown) => error);
    expect(HoldfastError.is(error, "RUN_WAITING") && error.details.waitingOn).toBe("approval");
    const [question, ...more] = await elsewhere().questions.list({ runId });
    if (!question) throw new Error("nobody was asked");
    expect(more).toEqual([]);
    return question;
  }

  describe("a hosted MCP server that asks for approvals", () => {
    const serverOf = (more: object = {}) =>
      sdk.hostedMcpTool?.({
        serverLabel: "crm",
        serverUrl: "https://crm.example/mcp",
        requireApproval: "always",
        ...more,
      });
    /** What the provider was told of its requests. */
    const told = (model: ItemModel): unknown[] =>
      [model.asked.at(-1)?.input ?? []].flat().flatMap((item) => {
        const { name, providerData } = item as unknown as Item & {
          providerData?: { approve?: boolean; reason?: string };
        };
        return name === "mcp_approval_response" ? [providerData] : [];
      });

    test.each([
      { stream: false, approve: true, reason: undefined },
      { stream: true, approve: true, reason: undefined },
      { stream: false, approve: false, reason: expect.stringContaining("ana did not approve it: not him") },
    ])(
      "is asked about by Holdfast, and told what was decided elsewhere: $approve (streaming: $stream)",
      async ({ stream, approve, reason }) => {
        const looked: unknown[] = [];
        const look = tool({
          name: "look",
          description: "looks",
          strict: false,
          parameters: { type: "object", properties: {}, required: [], additionalProperties: true },
          execute: (input: unknown) => looked.push(input),
        });
        const model = new ItemModel([calls("look"), asks("update", { id: 7 })], [says("ok")]);
        const agent = new Agent({ name: "Hosted", model, tools: [look, serverOf()] });
        const work = async () => {
          const result = await run(agent, "go", { stream });
          if (stream) await result.completed;
          return [result.finalOutput, result.interruptions];
        };
        const runId = newRunId();
        const question = await asked(here(), runId, work);
        expect(question).toMatchObject({ asks: "approval", name: "crm.update", input: { id: 7 } });
        expect(looked).toHaveLength(1);
        await elsewhere().questions.answer(question.id, {
          approve,
          by: "ana",
          ...(approve ? {} : { comment: "not him" }),
        });
        expect(await elsewhere().run(runId, work)).toEqual(["ok", []]);
        expect(told(model)).toEqual([{ approve, approval_request_id: "mcpr_update", reason }]);
        expect([looked.length, model.asked.length]).toEqual([1, 2]);
      },
    );

    test("is told no, and why, where policy denies, or its author's onApproval does", async () => {
      const refused = new ItemModel([asks("delete_contact")], [says("ok")]);
      const byPolicy = new Agent({ name: "Hosted", model: refused, tools: [serverOf()] });
      await governed.here().run(newRunId(), () => run(byPolicy, "go"));
      expect(told(refused)).toEqual([
        expect.objectContaining({
          approve: false,
          reason: expect.stringContaining("nothing is deleted here"),
        }),
      ]);
      const model = new ItemModel([asks("update")], [says("ok")]);
      const heard: unknown[] = [];
      const onApproval = async (_: unknown, item: { rawItem: { name: string } }) => {
        heard.push(item.rawItem.name);
        return { approve: false, reason: "not on a Sunday" };
      };
      const byAuthor = new Agent({ name: "Hosted", model, tools: [serverOf({ onApproval })] });
      await here().run(newRunId(), () => run(byAuthor, "go"));
      expect(told(model)).toEqual([
        expect.objectContaining({ approve: false, reason: expect.stringContaining("not on a Sunday") }),
      ]);
      expect(heard).toEqual(["update"]);
    });

    test("asks nobody where its author's onApproval says yes", async () => {
      const model = new ItemModel([asks("update")], [says("ok")]);
      const agent = new Agent({
        name: "H",
        model,
        tools: [serverOf({ onApproval: async () => ({ approve: true }) })],
      });
      await here().run(newRunId(), () => run(agent, "go"));
      expect(told(model)).toEqual([expect.objectContaining({ approve: true })]);
    });

    test("cannot be approved with other arguments: the provider has the ones that were asked for", async () => {
      const model = new ItemModel([asks("update", { id: 7 })], [says("ok")]);
      const agent = new Agent({ name: "Hosted", model, tools: [serverOf()] });
      const work = () => run(agent, "go");
      const runId = newRunId();
      const { id } = await asked(here(), runId, work);
      await here().questions.answer(id, { approve: true, input: { id: 8 }, by: "ana" });
      await here().run(runId, work);
      expect(told(model)).toEqual([
        expect.objectContaining({ approve: false, reason: expect.stringContaining("other arguments") }),
      ]);
    });

    test("is asked about in a run that goes on with a state which was interrupted outside", async () => {
      const model = new ItemModel([asks("update")], [says("ok")]);
      const agent = new Agent({ name: "Hosted", model, tools: [serverOf()] });
      const { state } = await run(agent, "go");
      const runId = newRunId();
      expect(await asked(here(), runId, () => run(agent, state))).toMatchObject({ name: "crm.update" });
    });

    test("outside a run interrupts as it did", async () => {
      const model = new ItemModel([asks("update")], [says("ok")]);
      const agent = new Agent({ name: "Hosted", model, tools: [serverOf()] });
      expect((await run(agent, "go")).interruptions).toHaveLength(1);
      // The same agent, in a run: what was done to its tools there stays there.
      await here()
        .run(newRunId(), () => run(agent, "go"))
        .catch(() => {});
      expect((await run(agent, "go")).interruptions).toHaveLength(1);
    });
  });

  describe("a computer", () => {
    class Browser {
      readonly environment = "browser";
      readonly dimensions = [800, 600];
      readonly acted: string[] = [];
      async click() {
        this.acted.push("click");
      }
      async screenshot() {
        return "shot";
      }
      async doubleClick() {}
      async drag() {}
      async keypress() {}
      async move() {}
      async scroll() {}
      async type() {}
      async wait() {}
    }

    const warned = {
      providerData: { pending_safety_checks: [{ id: "sc_1", code: "malicious", message: "It looks odd." }] },
    };
    const rows: [string, object, Item][] = [
      ["whose author wants to be asked", { needsApproval: true }, clicks()],
      [
        "whose author wants to be asked of clicks",
        { needsApproval: async (_: unknown, { type }: Item) => type === "click" },
        clicks(),
      ],
      ["that the provider warns of", {}, clicks(warned)],
    ];

    test.each(rows)("%s acts once it is approved", async (_, settings, item) => {
      const computer = new Browser();
      const model = new ItemModel([item], [says("ok")]);
      const agent = new Agent({
        name: "Clicks",
        model,
        tools: [sdk.computerTool({ computer, ...settings })],
      });
      const work = async () => (await run(agent, "go")).finalOutput;
      const runId = newRunId();
      const question = await asked(here(), runId, work);
      expect(question).toMatchObject({ name: "computer", input: [{ type: "click" }] });
      expect(computer.acted).toEqual([]);
      await elsewhere().questions.answer(question.id, { approve: true, by: "ana" });
      expect(await elsewhere().run(runId, work)).toBe("ok");
      expect(computer.acted).toEqual(["click"]);
      const results = [model.asked.at(-1)?.input ?? []].flat().map((item) => item as unknown as Item);
      const acted = JSON.stringify(results.filter(({ type }) => type === "computer_call_result"));
      expect(acted.includes("sc_1")).toBe(item === rows.at(-1)?.[2]); // the warning is acknowledged
    });

    test.each(rows)(
      "%s does nothing where it is not approved, and the model is told",
      async (_, settings, item) => {
        const computer = new Browser();
        const model = new ItemModel([item], [says("ok")]);
        const agent = new Agent({
          name: "Clicks",
          model,
          tools: [sdk.computerTool({ computer, ...settings })],
        });
        const work = async () => (await run(agent, "go")).finalOutput;
        const runId = newRunId();
        const { id } = await asked(here(), runId, work);
        await elsewhere().questions.answer(id, { approve: false, by: "ana", comment: "not there" });
        expect(await elsewhere().run(runId, work)).toBe("ok");
        expect(computer.acted).toEqual([]);
        expect(JSON.stringify(model.asked.at(-1)?.input)).toContain("ana did not approve it: not there");
      },
    );

    test("whose author deals with warnings is not asked about them", async () => {
      const computer = new Browser();
      const model = new ItemModel([clicks(warned)], [says("ok")]);
      const onSafetyCheck = () => true;
      const agent = new Agent({
        name: "Clicks",
        model,
        tools: [sdk.computerTool({ computer, onSafetyCheck })],
      });
      await here().run(newRunId(), () => run(agent, "go"));
      expect(computer.acted).toEqual(["click"]);
    });

    test("outside a run is as it was", async () => {
      const computer = new Browser();
      const tools = [sdk.computerTool({ computer, needsApproval: true })];
      const agent = new Agent({ name: "Clicks", model: new ItemModel([clicks()], [says("ok")]), tools });
      await here()
        .run(newRunId(), () => run(agent, "go"))
        .catch(() => {});
      expect((await run(agent, "go")).interruptions).toHaveLength(1);
      expect(computer.acted).toEqual([]);
    });
  });
});
