import { createInterface } from "node:readline";
import { openHoldfast } from "@holdfast/core";
import { Annotation, START, StateGraph } from "@langchain/langgraph";
import { HoldfastSaver } from "../src/index.ts";

/*
 * graph-in-run.ts <database> <run>: a graph on HoldfastSaver in a run of that id, which is its thread too. Its second node
 * says that it is there, and waits for a line.
 */
const [database = "", id = ""] = process.argv.slice(2);
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const say = (line: object) => console.log(JSON.stringify(line));

const hf = await openHoldfast({ database });
const log = Annotation<string[]>({ reducer: (a, b) => a.concat(b), default: () => [] });
const app = new StateGraph(Annotation.Root({ log }))
  .addNode("first", () => ({ log: [`first ${process.pid}`] }))
  .addNode("second", async () => {
    say({ at: "second" });
    await lines.next();
    return { log: [`second ${process.pid}`] };
  })
  .addEdge(START, "first")
  .addEdge("first", "second")
  .compile({ checkpointer: new HoldfastSaver(hf) });
const config = { configurable: { thread_id: id }, durability: "sync" as const };

try {
  await hf.run(id, async () => {
    const { next } = await app.getState(config);
    await app.invoke(next.length > 0 ? null : { log: ["in"] }, config);
  });
  say({ at: "end", log: (await app.getState(config)).values.log });
} catch (error) {
  say({ at: "end", error: (error as { code?: unknown }).code });
}
process.exit(0);
