import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type Holdfast, now, step } from "../src/index.ts";
import { replayFixture, withoutSockets } from "../src/testing/index.ts";
import { port, tool } from "./agent.ts";
import { useHoldfast } from "./opened.ts";
import { newId } from "./store.ts";

const { open, leaveRun, sql } = useHoldfast();

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "holdfast-export-"));
});
afterEach(() => rm(folder, { recursive: true }));

const ask = (messages: readonly unknown[], says: unknown) =>
  port().step(
    { kind: "model", name: "acme/m", input: { messages, image: new Uint8Array([1, 2, 3]) } },
    () => says,
  );

/** A support agent: two turns, a tool with what the customer said in it, a rich value at the end. */
const support =
  (system = "Be kind.\nBe brief.", cents = 500) =>
  async ({ name, card }: { name: string; card: string }) => {
    const at = now();
    await ask([system, `I am ${name}.`], "look up");
    const found = (await tool("look_up", { name, card }, () => ({ owner: name, card, id: 7n }))) as {
      owner: string;
    };
    const said = await ask([system, `I am ${name}.`, `It is ${found.owner}'s.`], `Dear ${name}`);
    const sent = await step("send", () => new Map([["cents", cents]]));
    return { said, sent, at, cents };
  };
const customer = { name: "Ana Lopez", card: "4242 4242 4242 4242" };

async function recorded(work = support(), holdfast?: Holdfast): Promise<{ id: string; holdfast: Holdfast }> {
  const [id, here] = [newId(), holdfast ?? (await open())];
  await here.run(id, () => work(customer), { input: customer, agent: "support", tags: ["tenant:acme"] });
  return { id, holdfast: here };
}

describe("an exported run", () => {
  test("is read in elsewhere entry by entry and blob by blob, and is exported the same again", async () => {
    const { id, holdfast } = await recorded();
    const file = await holdfast.exportRun(id);
    const copy = await holdfast.importRun(file, { id: newId() });
    const without = (entries: object[]) => entries.map((entry) => ({ ...entry, runId: "" }));
    expect(without(await holdfast.entries(copy))).toEqual(without(await holdfast.entries(id)));
    expect(await holdfast.request(copy, "model#1")).toEqual(await holdfast.request(id, "model#1"));
    expect((await holdfast.exportRun(copy)).replace(copy, id)).toBe(file);
    expect(await holdfast.diff(id, copy)).toMatchObject({ same: true });
    expect(await holdfast.runs.get(copy)).toMatchObject({
      status: "succeeded",
      agent: "support",
      tags: ["tenant:acme"],
      input: customer,
      imported: true,
    });
    expect(await holdfast.replay(copy, support())).toMatchObject({ follows: true });
  });

  test("says what it is in its first line, and has its data as JSON that people can read", async () => {
    const { id, holdfast } = await recorded();
    const lines = (await holdfast.exportRun(id))
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(lines[0]).toEqual({ holdfast: "run", version: 1, core: "0.1.0", run: id, entries: 10, blobs: 7 });
    expect(lines[1]).toMatchObject({ seq: 1, kind: "start", value: customer });
    expect(lines.find(({ step }) => step === "send#0" && step)).toMatchObject({ kind: "intent" });
    expect(
      lines.slice(-7).every(({ blob, text }) => typeof blob === "string" && typeof text === "string"),
    ).toBe(true);
  });

  test("may be read in twice, but not over another run of its id", async () => {
    const { id, holdfast } = await recorded();
    const file = await holdfast.exportRun(id);
    expect([await holdfast.importRun(file), await holdfast.importRun(file)]).toEqual([id, id]);
    const other = await recorded(support("Be exact."), holdfast);
    const wrong = holdfast.importRun(file, { id: other.id });
    await expect(wrong).rejects.toMatchObject({ code: "COMMAND_NOT_ALLOWED" });
  });

  test("that was not finished can be looked at where it is read in, and nobody goes on with it", async () => {
    const id = await leaveRun(async (underWay) => {
      await step("a", () => 1);
      underWay();
      await new Promise(() => {});
    });
    const holdfast = await open();
    const copy = await holdfast.importRun(await holdfast.exportRun(id), { id: newId() });
    expect(await holdfast.runs.get(copy)).toMatchObject({
      status: "waiting",
      waitingOn: "caller",
      imported: true,
    });
    const called: string[] = [];
    const going = holdfast.run(copy, () => step("b", () => called.push("b")));
    await expect(going).rejects.toMatchObject({ code: "COMMAND_NOT_ALLOWED" });
    expect(called).toEqual([]);
  });

  test("that failed is not tried again where it is read in", async () => {
    const [id, holdfast] = [newId(), await open()];
    await expect(holdfast.run(id, () => Promise.reject(new Error("no")))).rejects.toThrow("no");
    const copy = await holdfast.importRun(await holdfast.exportRun(id), { id: newId() });
    await expect(holdfast.run(copy, () => 1)).rejects.toMatchObject({ code: "COMMAND_NOT_ALLOWED" });
    expect(await holdfast.runs.get(copy)).toMatchObject({ status: "failed", error: new Error("no") });
  });

  test.each<[string, string, (file: string) => string]>([
    ["one of its entries is gone", "LEDGER_CORRUPT", (file) => file.replace(/\n\{"seq":4.*\n/, "\n")],
    ["its end is missing", "LEDGER_CORRUPT", (file) => file.slice(0, file.lastIndexOf('{"blob"'))],
    [
      "two entries changed places",
      "LEDGER_CORRUPT",
      (file) => file.replace(/(\{"seq":3.*)\n(\{"seq":4.*)/, "$2\n$1"),
    ],
    ["a prompt in it was changed", "LEDGER_CORRUPT", (file) => file.replace("Be kind.", "Be rude.")],
    ["a blob has another name", "LEDGER_CORRUPT", (file) => file.replace(/"blob":"..../, '"blob":"AAAA')],
    ["it is newer than this code", "INVALID_ARGUMENT", (file) => file.replace('"version":1', '"version":2')],
    ["it is none", "INVALID_ARGUMENT", () => "{}\n"],
    ["a line of it is none", "INVALID_ARGUMENT", (file) => file.replace(/\n\{"seq":4/, '\n"seq":4')],
  ])("is not read in where %s", async (_, code, damage) => {
    const { id, holdfast } = await recorded();
    const file = damage(await holdfast.exportRun(id));
    const copy = newId();
    await expect(holdfast.importRun(file, { id: copy })).rejects.toMatchObject({ code });
    expect(await sql("select from holdfast.runs where run_id = $1", [copy])).toEqual([]);
  });
});

describe("what is redacted", () => {
  const redact = ["input.card", "value.said", /\bA[a-z]a( Lop[a-z]z)?/];

  test("is nowhere in the file, and the file still follows the code", async () => {
    const { id, holdfast } = await recorded();
    const file = await holdfast.exportRun(id, { redact });
    for (const secret of ["Ana", "Lopez", "4242"]) expect(file).not.toContain(secret);
    expect(file).toContain("[redacted]");
    const { tried } = await withoutSockets(() => replayFixture(file, support()));
    expect(tried).toBe(0);
  });

  test("a text at a path is taken out of the prompts as well", async () => {
    const { id, holdfast } = await recorded();
    const file = await holdfast.exportRun(id, { redact: ["**.name"] });
    expect(file).not.toContain("Ana Lopez");
    expect(file).toContain("I am [redacted].");
    await replayFixture(file, support());
  });

  test("does not hide a prompt that drifted", async () => {
    const { id, holdfast } = await recorded();
    const file = await holdfast.exportRun(id, { redact });
    await expect(replayFixture(file, support("Be kind.\nBe exact."))).rejects.toThrow("- Be brief.");
  });

  test("is also what was taken out as the run was recorded", async () => {
    const { id, holdfast } = await recorded(support(), await open({ redact: ["input.card"] }));
    const file = await holdfast.exportRun(id);
    expect(JSON.parse(file.split("\n")[0] ?? "")).toMatchObject({
      redact: { paths: ["input.card"], patterns: [] },
    });
    const other = async (input: typeof customer) => await support()({ ...input, card: "another" });
    expect(await replayFixture(file, other)).toMatchObject({ cents: 500 });
  });
});

describe("a fixture", () => {
  /** The exported run in a file. */
  async function fixture() {
    const { id, holdfast } = await recorded();
    const file = join(folder, "support.jsonl");
    await holdfast.exportRun(id, { to: file });
    return { id, file, holdfast };
  }

  test("is replayed offline to the value on record", async () => {
    const { file, id, holdfast } = await fixture();
    const { value, tried } = await withoutSockets(() => replayFixture(file, support()));
    expect(value).toEqual((await holdfast.runs.get(id)).value);
    expect(tried).toBe(0);
  });

  test("fails where a prompt has changed, naming the turn and showing how", async () => {
    const { file, id } = await fixture();
    const before = await readFile(file, "utf8");
    await expect(replayFixture(file, support("Be kind.\nBe exact."))).rejects.toMatchObject({
      name: "AssertionError",
      message: [
        `The code does not follow run ${id}.`,
        "",
        "The code drifts from its record at turn 1 of the run (model#0): the model is asked something else: messages changed.",
        "  messages[0]",
        "    Be kind.",
        "  - Be brief.",
        "  + Be exact.",
        "",
        "The code drifts from its record at turn 2 of the run (model#1): the model is asked something else: messages changed.",
        "  (as shown above)",
        "",
        "If that is meant, run the test again with HOLDFAST_UPDATE=1.",
      ].join("\n"),
    });
    expect(await readFile(file, "utf8")).toBe(before);
  });

  test("is brought up to date with a prompt and a value, and then follows", async () => {
    const { file } = await fixture();
    const changed = support("Be kind.\nBe exact.", 500);
    await replayFixture(file, changed, { update: true });
    expect(await readFile(file, "utf8")).not.toContain("Be brief.");
    await replayFixture(file, changed);
    await expect(replayFixture(file, support())).rejects.toThrow("- Be exact.");
    await replayFixture(file, support(), { update: true });
    await replayFixture(file, support());
  });

  test("that is up to date is left as it is", async () => {
    const { file } = await fixture();
    const before = await readFile(file, "utf8");
    await replayFixture(file, support(), { update: true });
    expect(await readFile(file, "utf8")).toBe(before);
  });

  test("is brought up to date by HOLDFAST_UPDATE=1", async () => {
    const { file } = await fixture();
    process.env.HOLDFAST_UPDATE = "1";
    try {
      await replayFixture(file, support("Be exact."));
    } finally {
      delete process.env.HOLDFAST_UPDATE;
    }
    expect(await replayFixture(file, support("Be exact."))).toMatchObject({ cents: 500 });
  });

  test("cannot be brought up to date with a call that it has no answer to", async () => {
    const { file } = await fixture();
    const before = await readFile(file, "utf8");
    const other = () => step("refund", () => 1);
    await expect(replayFixture(file, other, { update: true })).rejects.toThrow(
      "record a new run and export it",
    );
    expect(await readFile(file, "utf8")).toBe(before);
  });

  test("fails where its record was not finished", async () => {
    const id = await leaveRun(async (underWay) => {
      await step("a", () => 1);
      underWay();
      await new Promise(() => {});
    });
    const file = await (await open()).exportRun(id);
    const work = async () => {
      await step("a", () => 1);
      await step("b", () => 1);
    };
    await expect(replayFixture(file, work)).rejects.toThrow("it was not finished");
  });

  test("comes with a test of its own where that is asked for", async () => {
    const { id, holdfast } = await recorded();
    const to = join(folder, "support.jsonl");
    await holdfast.exportRun(id, { to, vitest: { import: "answer", from: "../src/support.ts" } });
    expect(await readFile(join(folder, "support.test.ts"), "utf8")).toBe(
      [
        'import { replayFixture } from "@holdfast/core/testing";',
        'import { test } from "vitest";',
        'import { answer } from "../src/support.ts";',
        "",
        `test("run ${id} follows its record", async () => {`,
        '  await replayFixture(new URL("./support.jsonl", import.meta.url), answer);',
        "});",
        "",
      ].join("\n"),
    );
    await expect(
      holdfast.exportRun(id, { vitest: { import: "answer", from: "../src/support.ts" } }),
    ).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  });
});

test("a file is read by its path as well", async () => {
  const { id, holdfast } = await recorded();
  const file = join(folder, "run.jsonl");
  await writeFile(file, await holdfast.exportRun(id));
  const copy = newId();
  expect(await holdfast.importRun(file, { id: copy })).toBe(copy);
});
