import { cp, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import { holdfast, newId, useCommandLine } from "./line.ts";
import { Process } from "./process.ts";

const line = useCommandLine();
const app = fileURLToPath(new URL("./app.ts", import.meta.url));

test("a worker works on what is started by name, until it is told to stop", async () => {
  const stop = new AbortController();
  const ready = Promise.withResolvers<void>();
  const working = holdfast(["-d", line.url, "worker", "--app", app], {
    stop: stop.signal,
    onOut: () => ready.resolve(),
  });
  await Promise.race([ready.promise, working]);
  const { id } = await line.json(
    "start",
    "adder",
    "--input",
    '{"a":1,"b":2}',
    "--key",
    newId(),
    "--by",
    "ana",
  );
  const { out } = await line.holdfast("tail", id);
  expect(out).toMatch(/outcome +succeeded +3/);
  expect((await line.hf.entries(id))[0]).toMatchObject({ kind: "start", by: "ana" });
  expect((await line.json("agents")).agents).toMatchObject([
    { name: "adder", versions: [{ version: "1", workers: 1 }] },
  ]);
  stop.abort();
  expect((await working).exit).toBe(0);
  expect((await line.holdfast("start", "nobody")).exit).toBe(2);
});

test("a worker logs what becomes of its runs and their steps, from the level that is asked for", async () => {
  const stop = new AbortController();
  const stepping = fileURLToPath(new URL("./stepping-app.ts", import.meta.url));
  const ready = Promise.withResolvers<void>();
  const working = holdfast(["-d", line.url, "worker", "--app", stepping], {
    stop: stop.signal,
    env: { HOLDFAST_LOG: "debug" },
    onOut: () => ready.resolve(),
  });
  await Promise.race([ready.promise, working]);
  const { id } = await line.json("start", "stepper");
  await line.holdfast("tail", id);
  stop.abort();
  const logged = (await working).out.split("\n").filter((text) => text.startsWith("{"));
  expect(logged.map((text) => JSON.parse(text))).toMatchObject([
    { msg: "run begins", run: id, agent: "stepper", epoch: 1 },
    { msg: "step made", run: id, step: "look#0", epoch: 1, ok: true },
    { msg: "run ends", run: id, epoch: 1, status: "succeeded" },
  ]);
});

test("an app that registers nothing is refused, and so is a file that is none", async () => {
  const folder = await mkdtemp(join(tmpdir(), "holdfast-app-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const file = join(folder, "app.mjs");
  await writeFile(file, "export default () => {}");
  expect((await holdfast(["-d", line.url, "worker", "--app", file])).err).toContain("registers no agent");
  await writeFile(join(folder, "none.mjs"), "export const x = 1");
  expect((await holdfast(["-d", line.url, "worker", "--app", join(folder, "none.mjs")])).exit).toBe(2);
  expect((await holdfast(["-d", line.url, "worker", "--app", join(folder, "missing.mjs")])).exit).toBe(1);
});

test("dev serves without a key, and its worker starts anew when a file changes", async () => {
  const folder = await mkdtemp(join(tmpdir(), "holdfast-dev-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const file = join(folder, "app.ts");
  await cp(app, file);
  const dev = new Process(["-d", line.url, "dev", "--port", "0", "--app", file]);
  const [, url] = await dev.says(/serves at (\S+)/);
  expect((await fetch(`${url}/v1/runs`)).status).toBe(200);
  const id = newId();
  await line.hf.run(id, () => 3, { agent: "adder", input: { a: 1, b: 2 } });
  const replay = async (asked: object) => {
    const response = await fetch(`${url}/v1/runs/${id}/replay`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(asked),
    });
    return [response.status, await response.json()];
  };
  await dev.says(/Works for adder\./);
  expect(await replay({ mode: "trace" })).toMatchObject([200, { follows: true, value: 3 }]);
  const set = { input: { a: 2, b: 2 } };
  expect(await replay({ mode: "mock-tools", set })).toMatchObject([200, { value: 4 }]);
  await writeFile(file, 'export default (hf) => { hf.agent("other", () => 1); };\n');
  await dev.says(/Works for other\./);
  expect(await replay({ mode: "trace" })).toMatchObject([409, { code: "COMMAND_NOT_ALLOWED" }]);
  dev.kill("SIGTERM");
  expect(await dev.exited).toBe(0);
});

test("the demo kills an agent and goes on, and the refund is in the books once", async () => {
  const demo = new Process(["-d", line.url, "demo"]);
  await demo.says(/another process took over after a crash; issue_refund was under way/);
  await demo.says(/refunds in the books: 1\n/);
  expect(await demo.exited).toBe(0);
});
