import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createMCPClient } from "@ai-sdk/mcp";
import { Experimental_StdioMCPTransport as StdioTransport } from "@ai-sdk/mcp/mcp-stdio";
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js";
import * as plain from "ai";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { withDurability } from "../src/index.ts";
import { stockServer } from "./stock-server.ts";
import { versions } from "./versions.ts";
import { newRunId, workbench } from "./workbench.ts";

// The official server, and the SDK's own client for ai 7.
const { here, open, model } = workbench({ tools: { hang: { effect: "idempotent" } } });

const ai = withDurability(plain);
const version = versions.find((version) => version.ai === (plain as object));
if (!version) throw new Error("the table of versions has changed");

const folder = mkdtempSync(join(tmpdir(), "holdfast-mcp-"));
const taken = join(folder, "taken");

let requests: string[] = [];
const http = createServer((request, response) => void answer(request, response));

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  let text = "";
  for await (const chunk of request) text += chunk;
  const message = text === "" ? undefined : JSON.parse(text);
  if (message) requests.push(message.method);
  const transport = new StreamableHTTPServerTransport({});
  response.on("close", () => void transport.close());
  const server = stockServer((item) => writeFileSync(taken, `${item}\n`, { flag: "a" }));
  await server.connect(transport as Parameters<typeof server.connect>[0]);
  await transport.handleRequest(request, response, message);
}

beforeAll(() => new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve)));
afterAll(() => {
  http.closeAllConnections();
  http.close();
  rmSync(folder, { recursive: true });
});

const overStdio = () =>
  createMCPClient({
    transport: new StdioTransport({
      command: process.execPath,
      args: ["--no-warnings", fileURLToPath(new URL("./mcp-server.ts", import.meta.url)), taken],
    }),
  });

const overHttp = () => {
  const { port } = http.address() as AddressInfo;
  return createMCPClient({ transport: { type: "http", url: `http://127.0.0.1:${port}/mcp` } });
};

describe.each([
  ["stdio", overStdio],
  ["streamable HTTP", overHttp],
])("over %s", (_, connect) => {
  test("a tool of a server is called once, however often its run goes on", async () => {
    writeFileSync(taken, "");
    requests = [];
    const scripted = model(
      version,
      { calls: [{ name: "take", input: { item: "kelp" } }] },
      { calls: [{ name: "hang", input: {} }] },
      { text: "It is out." },
    );
    const hanging = Promise.withResolvers<void>();
    let hangs = 0;
    const hang = {
      inputSchema: z.object({}),
      async execute() {
        if (++hangs > 1) return "at last";
        hanging.resolve();
        return await new Promise<string>(() => {});
      },
    };
    const runId = newRunId();
    // As in any program: each execution connects anew and asks the server what tools it has.
    const work = async () => {
      const client = await connect();
      try {
        const tools = { ...(await client.tools()), hang };
        const options = { model: scripted.model, prompt: "go", stopWhen: plain.isStepCount(9) };
        const { text, steps } = await ai.generateText({ ...options, tools });
        return { text, result: steps[0]?.toolResults[0]?.output };
      } finally {
        await client.close();
      }
    };

    const first = await open();
    first.run(runId, work).catch(() => {}); // it is cut short
    await hanging.promise;
    await first.close({ graceSeconds: 0 });

    expect(await here().run(runId, work)).toMatchObject({
      text: "It is out.",
      result: { content: [{ type: "text", text: "took kelp" }] },
    });
    expect(readFileSync(taken, "utf8")).toBe("kelp\n");
    expect(requests.filter((method) => method === "tools/call")).toHaveLength(connect === overHttp ? 1 : 0);
    expect(scripted.asked()).toHaveLength(3);
  });
});
