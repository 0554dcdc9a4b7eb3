// A server of the Model Context Protocol with one tool, over stdio. Every call adds a line to the file it is told of.
import { appendFileSync } from "node:fs";
import { StdioServerTransport } from "@modelcontextprotocol/sdk/server/stdio.js";
import { stockServer } from "./stock-server.ts";

const [, , file = ""] = process.argv;
await stockServer((line) => appendFileSync(file, `${line}\n`)).connect(new StdioServerTransport());
