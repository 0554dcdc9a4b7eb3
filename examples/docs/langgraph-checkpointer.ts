import { openHoldfast } from "@holdfast/core";
import { HoldfastSaver } from "@holdfast/langgraph";
import { MessagesAnnotation, START, StateGraph } from "@langchain/langgraph";

const graph = new StateGraph(MessagesAnnotation).addNode("model", () => ({})).addEdge(START, "model");
const input = { messages: [{ role: "user", content: "Refund order 42." }] };

// #region compile
const hf = await openHoldfast({ database: process.env.DATABASE_URL });
const checkpointer = new HoldfastSaver(hf);
const app = graph.compile({ checkpointer });
await app.invoke(input, { configurable: { thread_id: "order-42" } });
// #endregion

// #region setup
const migrating = await openHoldfast({ database: process.env.MIGRATION_DATABASE_URL });
await new HoldfastSaver(migrating).setup();
await migrating.close();
// #endregion

// #region fenced
await hf.run("order-42", () => app.invoke(input, { configurable: { thread_id: "order-42" } }));
// #endregion

// #region forget
await checkpointer.prune(["order-42"]); // all but the last checkpoint
await checkpointer.deleteThread("order-42");
// #endregion
