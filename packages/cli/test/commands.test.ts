import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { ask, openHoldfast, step } from "@holdfast/core";
import { expect, test } from "vitest";
import { z } from "zod";
import { freshDatabase } from "../../../test/fresh-database.ts";
import { aDoubt, holdfast, newId, useCommandLine } from "./line.ts";

const line = useCommandLine();

test("runs are listed, the newest first, and as JSON with the cursor of the next page", async () => {
  const ids = [newId(), newId(), newId()];
  for (const id of ids) await line.hf.run(id, () => 1, { agent: "lister", tags: ["t"] });
  const { out, exit } = await line.holdfast("runs", "--agent", "lister", "--limit", "2");
  expect(exit).toBe(0);
  expect(out).toMatch(
    new RegExp(`run +agent +status[\\s\\S]*${ids[2]} +lister +succeeded[\\s\\S]*${ids[1]}[\\s\\S]*--cursor `),
  );
  expect(out).not.toContain(ids[0]);
  const first = await line.json("runs", "--agent", "lister", "--limit", "2");
  const second = await line.json("runs", "--agent", "lister", "--cursor", first.cursor);
  expect(second.runs.map(({ id }: { id: string }) => id)).toEqual([ids[0]]);
});

test("a run is shown with a line for each entry and a divider where another process took over", async () => {
  const id = newId();
  const left = await openHoldfast({ database: line.url });
  const underWay = Promise.withResolvers<void>();
  const leaving = left.run(id, () =>
    step(
      "charge",
      () => {
        underWay.resolve();
        return new Promise(() => {});
      },
      { effect: "idempotent", input: { cents: 5 } },
    ),
  );
  leaving.catch(() => {});
  await underWay.promise;
  const { db } = await line.hf.opened();
  await db.query(
    `update holdfast.workers set until = now() - interval '1 second'
      where worker = (select leased_by from holdfast.runs where run_id = $1)`,
    [id],
  );
  await line.hf.run(id, () => step("charge", () => "paid", { effect: "idempotent", input: { cents: 5 } }));
  await left.close({ graceSeconds: 0 });

  const { out } = await line.holdfast("show", id);
  expect(out).toMatch(/^run-\d+ {2}succeeded$/m);
  expect(out).toMatch(/── another process took over after a crash; charge was under way ─+$/m);
  expect(out).toMatch(/observation +charge +\d+ ms → "paid"$/m);
  const json = await line.json("show", id);
  expect(json.entries.at(-1)).toMatchObject({ kind: "outcome", status: "succeeded" });
});

test("what an agent says cannot steer the terminal", async () => {
  const id = newId();
  await line.hf.run(id, () => step("say \u001b[2J", () => "\u001b]0;title\u0007", { effect: "idempotent" }), {
    agent: "a\u001b[31m",
  });
  for (const command of [["show", id], ["runs"], ["why", id]]) {
    const { out } = await line.holdfast(...command);
    expect(out.replaceAll("\n", "")).not.toMatch(/\p{Cc}/u);
  }
});

test("a run is followed until its last entry; with --json each entry is a line", async () => {
  const id = newId();
  const go = Promise.withResolvers<void>();
  const running = line.hf.run(id, async () => {
    await step("first", () => 1, { effect: "idempotent" });
    await go.promise;
    return "done";
  });
  let told = 0;
  const tailing = holdfast(["-d", line.url, "tail", id, "--json"], {
    onOut: (out) => {
      told = out.split("\n").length;
      if (out.includes('"observation"')) go.resolve();
    },
  });
  const { out, exit } = await tailing;
  await running;
  expect(exit).toBe(0);
  const entries = out
    .trim()
    .split("\n")
    .map((text) => JSON.parse(text));
  expect(entries.map(({ seq }) => seq)).toEqual((await line.hf.entries(id)).map(({ seq }) => seq));
  expect(told).toBeGreaterThan(1);
});

test("a tail that its user has enough of ends", async () => {
  const { id } = await aDoubt(line.hf);
  const stop = new AbortController();
  const { exit } = await holdfast(["-d", line.url, "tail", id], {
    stop: stop.signal,
    onOut: () => stop.abort(),
  });
  expect(exit).toBe(0);
});

test("a doubt is listed with what to type, and resolved in the name that is said", async () => {
  const { id, step } = await aDoubt(line.hf);
  const { out } = await line.holdfast("doubts", id);
  expect(out).toContain(`holdfast resolve ${id} ${step} --happened`);
  expect((await line.holdfast("resolve", id, step, "--happened", '{"receipt":1}', "--by", "ana")).exit).toBe(
    0,
  );
  expect((await line.hf.entries(id)).at(-1)).toMatchObject({
    happened: true,
    by: "ana",
    output: { receipt: 1 },
  });
  expect((await line.holdfast("resolve", id, step, "--did-not-happen", "--by", "bob")).exit).toBe(4);
  expect((await line.holdfast("doubts", id)).out).toBe("Nothing is in doubt.\n");
});

test("a resolution says one of two things, and its output is JSON", async () => {
  const { id, step } = await aDoubt(line.hf);
  expect((await line.holdfast("resolve", id, step)).exit).toBe(2);
  expect((await line.holdfast("resolve", id, step, "--happened", "not JSON")).err).toContain("must be JSON");
  expect((await line.holdfast("resolve", id, step, "--happened", "1", "--did-not-happen")).exit).toBe(2);
});

test("why says what a run waits for and what to do", async () => {
  const { id } = await aDoubt(line.hf);
  const { out } = await line.holdfast("why", id);
  expect(out).toMatch(/^Nobody knows whether send_wire .* happened.*\n.*holdfast resolve/);
  expect((await line.json("why", id)).todo).toContain("holdfast doubts");
});

test("a question is listed with what to type, and answered in the name that is said", async () => {
  const id = newId();
  const run = () => line.hf.run(id, () => ask({ question: "How many?", schema: z.int() }));
  await run().catch(() => {});
  const { questions } = await line.json("questions", id);
  const [{ id: question }] = questions;
  expect((await line.holdfast("questions", id)).out).toContain(`holdfast answer ${question} --value`);
  expect((await line.holdfast("answer", question)).exit).toBe(2);
  expect((await line.holdfast("answer", question, "--value", "many")).exit).toBe(2);
  expect((await line.holdfast("answer", question, "--value", "7", "--by", "ana")).exit).toBe(0);
  expect((await line.holdfast("answer", question, "--value", "8", "--by", "bob")).exit).toBe(4);
  expect((await line.holdfast("show", id)).out).toMatch(/answer +ask +input, says ana/);
  expect(await run()).toBe(7);
});

test("two runs are compared, and one is exported and read in elsewhere", async () => {
  const [a, b] = [newId(), newId()];
  for (const id of [a, b]) await line.hf.run(id, () => step("price", () => id, { effect: "read" }));
  expect((await line.holdfast("diff", a, b)).out).toMatch(/price/);
  expect((await line.json("diff", a, b)).steps[0].at).toBe("changed");
  expect((await line.json("diff", a, a)).same).toBe(true);

  const folder = await mkdtemp(join(tmpdir(), "holdfast-export-"));
  const to = join(folder, "a.jsonl");
  expect((await line.holdfast("export", a, "--to", to)).exit).toBe(0);
  expect((await line.holdfast("export", a)).out).toBe(await readFile(to, "utf8"));
  const copy = newId();
  expect((await line.json("import", to, "--id", copy)).runId).toBe(copy);
  expect((await line.json("diff", a, copy)).same).toBe(true);

  const test = ["--vitest", "answer", "--from", "./support.ts"];
  expect((await line.holdfast("export", a, "--to", to, ...test)).exit).toBe(0);
  const written = await readFile(join(folder, "a.test.ts"), "utf8");
  expect(written).toContain('import { answer } from "./support.ts";');
  expect(written).toContain('new URL("./a.jsonl", import.meta.url), answer');
  expect((await line.holdfast("export", a, ...test)).exit).toBe(2);
  expect((await line.holdfast("export", a, "--to", to, "--vitest", "answer")).exit).toBe(2);
  await rm(folder, { recursive: true });
});

test("an app's agent is run over the record of a run, and ends with 1 where it does not follow", async () => {
  const app = fileURLToPath(new URL("./app.ts", import.meta.url));
  const [id, other] = [newId(), newId()];
  await line.hf.run(id, () => 3, { agent: "adder", input: { a: 1, b: 2 } });
  await line.hf.run(other, () => step("price", () => 3), { agent: "adder", input: { a: 1, b: 2 } });
  const follows = await line.holdfast("replay", id, "--app", app);
  expect([follows.exit, follows.out]).toEqual([0, `The code follows the record of run ${id}: 0 calls.\n`]);
  const leaves = await line.holdfast("replay", other, "--app", app);
  expect([leaves.exit, leaves.out]).toEqual([1, expect.stringContaining("leaves its record at price#0")]);

  const own = newId();
  const options = ["--mode", "mock-tools", "--input", '{"a":2,"b":2}', "--id", own, "--by", "ana"];
  const replayed = await line.holdfast("replay", id, "--app", app, ...options);
  expect(replayed.out).toContain(`Replayed as run ${own}: 4\n`);
  expect((await line.holdfast("show", own)).out).toMatch(/forked .* by ana/);
  const counterfactual = ["--mode", "counterfactual", "--output", "price#0=7"];
  expect((await line.json("replay", other, "--app", app, ...counterfactual)).value).toBe(3);
  expect((await line.holdfast("replay", id, "--app", app, "--mode", "live")).exit).toBe(2);
  expect((await line.holdfast("replay", "none", "--app", app)).exit).toBe(3);
});

test("old runs are pruned, and one is deleted only when that is meant", async () => {
  const id = newId();
  await line.hf.run(id, () => 1);
  expect((await line.json("prune", "--older-than", "0s", "--by", "cron")).pruned).toBeGreaterThan(0);
  expect((await line.holdfast("delete", id)).exit).toBe(2);
  expect((await line.holdfast("delete", id, "--yes", "--by", "ana")).exit).toBe(0);
  expect((await line.json("audit")).deeds).toMatchObject([
    { by: "ana", did: "delete", about: { runId: id } },
    { by: "cron", did: "prune" },
  ]);
  expect((await line.holdfast("audit", "--limit", "1")).out).toMatch(
    /ana +delete +.*There are more: --cursor/s,
  );
  expect((await line.holdfast("show", id)).exit).toBe(3);
});

test("workers are listed", async () => {
  expect((await line.json("workers")).workers[0]).toMatchObject({ pid: process.pid, alive: true });
  expect((await line.holdfast("workers")).out).toContain(`:${process.pid}`);
});

test("the doctor finds a healthy database healthy, and names what is not", async () => {
  const { id } = await aDoubt(line.hf);
  const { exit, out } = await line.holdfast("doctor");
  expect(exit).toBe(0);
  expect(out).toMatch(/✓ database +answers within/);
  expect(out).toMatch(/✓ schema/);
  const { findings } = await line.json("doctor");
  const doubts = findings.find(({ name }: { name: string }) => name === "doubts");
  expect(doubts).toMatchObject({ is: "warning", todo: expect.stringContaining("holdfast doubts") });
  expect(id).toBeDefined();
});

test("the doctor says of a database without the schema what to do, and ends with an error", async () => {
  const empty = await freshDatabase();
  const { url } = empty;
  const { exit, out } = await holdfast(["doctor", "-d", url]);
  expect(exit).toBe(1);
  expect(out).toMatch(/✗ schema[\s\S]*holdfast migrate/);
  expect((await holdfast(["runs", "-d", url])).exit).toBe(6);
  expect((await holdfast(["migrate", "-d", url])).exit).toBe(0);
  expect((await holdfast(["runs", "-d", url])).out).toContain("No run is like that.");
  await empty.drop();
});
