import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { z } from "zod";

/** A server of the Model Context Protocol that takes things out of stock, and says what. */
export function stockServer(take: (item: string) => void): McpServer {
  const server = new McpServer({ name: "stock", version: "1.0.0" });
  server.registerTool(
    "take",
    { description: "Takes one out of stock.", inputSchema: { item: z.string() } },
    ({ item }) => {
      take(item);
      return { content: [{ type: "text", text: `took ${item}` }] };
    },
  );
  return server;
}
