import { HoldfastError, openHoldfast } from "@holdfast/core";
import { agentOf, taskOf } from "./agent.ts";

/** Does the task as a run, or without Holdfast, and says what came of it. */
const task = taskOf(process.argv[2]);
const say = (at: string, more: object = {}) => process.stdout.write(`${JSON.stringify({ at, ...more })}\n`);
const { ai, settings, prompt } = await agentOf(task);

if (task.unprotected) {
  say("value", { value: await valueIn(await ask()) });
  process.exit(0);
}

const hf = await openHoldfast({
  database: task.database,
  tools: task.step2 === "idempotent" ? { step2: { effect: "idempotent" } } : {},
});
try {
  say("value", { value: await valueIn(await askDurably()) });
} catch (error) {
  if (!HoldfastError.is(error)) throw error;
  say("refused", { code: error.code, details: error.details });
}
await hf.close();
process.exit(0);

function ask() {
  const agent = () => new (ai.ToolLoopAgent ?? ai.Experimental_Agent)(settings);
  switch (task.shape) {
    case "generateText":
      return ai.generateText({ ...settings, prompt });
    case "streamText":
      return ai.streamText({ ...settings, prompt });
    case "agent.generate":
      return agent().generate({ prompt });
    case "agent.stream":
      return agent().stream({ prompt });
  }
}

/** A worker that died a moment ago still holds the run's lease: wait for it. */
async function askDurably() {
  if (task.shape !== "streamText") return await hf.run(task.runId, ask, { onLeased: "wait" });
  const { value, done } = hf.stream(task.runId, ask, { onLeased: "wait" });
  const read = (async () => {
    for await (const _ of value.textStream);
  })();
  await done;
  await read;
  return value;
}

/** What a user reads from a result, be it there or yet to come. */
async function valueIn(result: Awaited<ReturnType<typeof ask>>) {
  const steps: { toolResults: { output: unknown }[] }[] = await result.steps;
  return {
    text: await result.text,
    outputs: steps.flatMap(({ toolResults }) => toolResults.map(({ output }) => output)),
    totalTokens: (await result.totalUsage).totalTokens,
  };
}
