// What a person does about a call in doubt: looks at the other side's books, and says what happened. Here: it did.
import { hf } from "@holdfast/vercel-ai";

for (const { runId, step, name, input } of await hf.doubts.list({})) {
  await hf.doubts.resolve(runId, step, { happened: { done: "refund" } }, { by: "ana" });
  console.log(`${runId}: ${name} ${JSON.stringify(input)} happened, says ana`);
}
await hf.close();
