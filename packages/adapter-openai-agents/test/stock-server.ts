import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { z } from "zod";

/** A server of the Model Context Protocol that takes things out of stock, and says what, and under which key. */
export function stockServer(take: (line: string) => void): McpServer {
  const server = new McpServer({ name: "stock", version: "1.0.0" });
  server.registerTool(
    "take",
    { description: "Takes one out of stock.", inputSchema: { item: z.string() } },
    ({ item }, { _meta }) => {
      take(JSON.stringify({ item, key: _meta?.["holdfast/idempotency-key"], trace: _meta?.trace }));
      return { content: [{ type: "text", text: `took ${item}` }] };
    },
  );
  return server;
}
