// #region three-lines
import { withDurability } from "@holdfast/langgraph"; // 1: the import
import { graph, input } from "./langgraph.ts";

const app = withDurability(graph); // 2: the wrap
await app.invoke(input, { configurable: { thread_id: "ticket-42" } });
// #endregion
