import { openHoldfast, receive, sleep, step } from "@holdfast/core";
import { z } from "zod";

declare const tickets: { read(id: number): Promise<{ text: string }>; close(id: number): Promise<void> };
const ticketId = 42;

// #region agent
const hf = await openHoldfast();

const support = hf.agent(
  "support",
  async (ticket) => {
    const { text } = await step("read", () => tickets.read(ticket.id), { effect: "read" });
    await sleep("2h");
    await step("close", () => tickets.close(ticket.id), { effect: "idempotent" });
    return text.length;
  },
  {
    version: "7",
    input: z.object({ id: z.int() }),
    concurrency: 20,
    retry: { attempts: 5, firstMs: 1_000, longestMs: 60_000 },
    timeoutMs: 10 * 60_000,
    maxSteps: 50,
  },
);
// #endregion

// #region worker
const worker = hf.worker({ concurrency: 50 });
await worker.start();

process.once("SIGTERM", () => {
  void hf.close({ graceSeconds: 10 });
});
// #endregion

// #region start
const run = await hf.start(support, { id: ticketId }, { key: `ticket-${ticketId}`, priority: 5 });
console.log(await run.status());
console.log(await run.result());
// #endregion

// #region commands
await hf.pause(run.id, { by: "ana" });
await hf.resume(run.id, { by: "ana" });
await hf.cancel(run.id, { by: "ana" });
// #endregion

// #region letters
for (const letter of await hf.deadLetters.list({ agent: "support" })) {
  const { error, entries } = await hf.deadLetters.get(letter.id);
  console.log(letter.status, error, entries.at(-1));
}
await hf.redrive(run.id, { input: { id: 43 }, by: "ana" });
// #endregion

// #region messages
const chat = hf.agent("chat", async () => {
  const messages = await receive({ wait: true });
  return messages.length;
});
const talk = await hf.start(chat, undefined);
await hf.send(talk.id, { text: "One more thing." }, { by: "ana" });
// #endregion
