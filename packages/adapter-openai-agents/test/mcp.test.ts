import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { z } from "zod";
import { withDurability } from "../src/index.ts";
import { calls, ItemModel, says } from "./item-model.ts";
import { stockServer } from "./stock-server.ts";
import { versions } from "./versions.ts";
import { newRunId, workbench } from "./workbench.ts";

// The official server, and the SDK's own clients.
const { here, open } = workbench({ tools: { hang: { effect: "idempotent" } } });

const folder = mkdtempSync(join(tmpdir(), "holdfast-mcp-"));
const file = join(folder, "taken");
const taken = () =>
  readFileSync(file, "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as { item: string; key?: string; trace?: string });

const http = createServer((request, response) => void answer(request, response));

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  let text = "";
  for await (const chunk of request) text += chunk;
  const transport = new StreamableHTTPServerTransport({});
  response.on("close", () => void transport.close());
  const server = stockServer((line) => writeFileSync(file, `${line}\n`, { flag: "a" }));
  await server.connect(transport as Parameters<typeof server.connect>[0]);
  await transport.handleRequest(request, response, text === "" ? undefined : JSON.parse(text));
}

beforeAll(() => new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve)));
beforeEach(() => writeFileSync(file, ""));
afterAll(() => {
  http.closeAllConnections();
  http.close();
  rmSync(folder, { recursive: true });
});

describe.each(versions)("$name", ({ sdk }) => {
  withDurability(sdk.Runner);
  const { Agent, run } = sdk;

  const overStdio = (more: object = {}) =>
    new sdk.MCPServerStdio({
      command: process.execPath,
      args: ["--no-warnings", fileURLToPath(new URL("./mcp-server.ts", import.meta.url)), file],
      ...more,
    });
  const overHttp = (more: object = {}) => {
    const { port } = http.address() as AddressInfo;
    return new sdk.MCPServerStreamableHttp({ url: `http://127.0.0.1:${port}/mcp`, ...more });
  };

  describe.each([
    ["stdio", overStdio],
    ["streamable HTTP", overHttp],
  ])("over %s", (_, connect) => {
    test("a tool of a server is called once, with its key, however often its run goes on", async () => {
      const reached = Promise.withResolvers<void>();
      let waits = true;
      const hang = sdk.tool({
        name: "hang",
        description: "hangs",
        parameters: z.object({}),
        execute: async () => {
          if (!waits) return "at last";
          waits = false;
          reached.resolve();
          return await new Promise(() => {});
        },
      });
      const instance = new ItemModel(
        [calls("take", { item: "kelp" })],
        [calls("hang")],
        [says("It is out.")],
      );
      const runId = newRunId();
      // As in any program: each execution connects anew and asks the server what tools it has.
      const work = async () => {
        const server = connect();
        await server.connect();
        try {
          const agent = new Agent({ name: "Stock", model: instance, tools: [hang], mcpServers: [server] });
          return (await run(agent, "go")).finalOutput;
        } finally {
          await server.close();
        }
      };
      const first = await open();
      const dying = first.run(runId, work).catch(() => {});
      await reached.promise;
      await first.close({ graceSeconds: 0 });
      await dying;

      expect(await here().run(runId, work)).toBe("It is out.");
      const intent = (await here().entries(runId)).find(
        (entry) => entry.kind === "intent" && entry.name === "take",
      );
      expect(taken()).toEqual([{ item: "kelp", key: intent?.kind === "intent" ? intent.key : "none" }]);
      expect(instance.asked).toHaveLength(3);
    });
  });

  test("the user's own meta travels with the key, and alone outside a run", async () => {
    const server = overHttp({ toolMetaResolver: () => ({ trace: "t1" }) });
    await server.connect();
    const agent = new Agent({
      name: "Stock",
      model: new ItemModel([calls("take", { item: "kelp" })], [says("ok")]),
      mcpServers: [server],
    });
    await here().run(newRunId(), () => run(agent, "go"));
    await run(agent, "go");
    await server.close();
    expect(taken()).toEqual([
      { item: "kelp", key: expect.stringMatching(/^hf_/), trace: "t1" },
      { item: "kelp", trace: "t1" },
    ]);
  });
});
