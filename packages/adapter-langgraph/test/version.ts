import { createRequire } from "node:module";

/** Which LangGraph these tests run against: the one that the project of vitest resolves to. */
export const version = `langgraph ${process.env.HOLDFAST_LANGGRAPH ?? createRequire(import.meta.url)("@langchain/langgraph/package.json").version}`;
