import { ask, current, HoldfastError, openHoldfast } from "@holdfast/core";

/** One of the processes that a run goes through: it asks, answers, or goes on. `kill`: it is killed once it has asked. */
interface Part {
  readonly database: string;
  readonly runId: string;
  readonly does: "run" | "answer";
}

const { database, runId, does } = JSON.parse(process.argv[2] ?? "") as Part;
const say = (at: string, more: object = {}) => process.stdout.write(`${JSON.stringify({ at, ...more })}\n`);
const hf = await openHoldfast({ database, policy: [{ tool: "pay", then: "ask" }] });

if (does === "answer") {
  for (const { id, asks } of await hf.questions.list({ runId })) {
    const answering = asks === "input" ? { value: 400, by: "ana" } : { approve: true as const, by: "ana" };
    await hf.questions.answer(id, answering);
    say("answered", { id, asks });
  }
} else {
  try {
    say("value", { value: await hf.run(runId, work) });
  } catch (error) {
    if (!HoldfastError.is(error, "RUN_WAITING")) throw error;
    say("waiting", { questions: error.details.questions, on: error.details.waitingOn });
  }
}
await hf.close();

async function work(): Promise<unknown> {
  const cents = await ask<number>({ question: "How much?" });
  return await current()?.step({ kind: "tool", name: "pay", input: { cents } }, () => {
    say("paid", { cents });
    return { paid: cents };
  });
}
