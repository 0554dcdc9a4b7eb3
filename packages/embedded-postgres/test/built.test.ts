import { execFile } from "node:child_process";
import { rm } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { opener } from "./process.ts";

// Inside the package's node_modules, from where its dependencies are found and which nobody commits.
const home = fileURLToPath(new URL("..", import.meta.url));
const folder = path.join(home, `node_modules/.built-${process.pid}`);

beforeAll(async () => {
  const tsup = path.join(home, "../../node_modules/.bin/tsup");
  await promisify(execFile)(tsup, ["--out-dir", folder], { cwd: home });
}, 60_000);
afterAll(() => rm(folder, { recursive: true, force: true }));

test.each(["index.js", "index.cjs"])("the built %s starts a server", async (file) => {
  const source = pathToFileURL(path.join(folder, file)).href;
  const env = { ...process.env, HOLDFAST_EMBEDDED_POSTGRES: source };
  const { server, child } = opener({ durable: false, lingerSeconds: 0 }, { env });
  onTestFinished(() => void child.kill("SIGKILL"));
  expect(await server).toMatchObject({
    url: expect.stringMatching(/^postgres:\/\/holdfast:\w+@127/),
    pid: expect.any(Number),
  });
});
