import manifest from "@langchain/langgraph/package.json" with { type: "json" };

/** Which LangGraph these tests run against: the one that their project of vitest resolves to. */
export const version = `langgraph ${manifest.version}`;
