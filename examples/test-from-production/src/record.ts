// Records two runs and exports them: what production does all day, here with a model that follows a script.

import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { json } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { openHoldfast } from "@holdfast/core";

type Turn = { readonly text: string } | { readonly tool: string; readonly input: unknown };

const runs: Record<string, { message: string; turns: readonly Turn[] }> = {
  "broken-kettle": {
    message: "Order 42 arrived broken. I am ana@example.com.",
    turns: [
      { tool: "look_up_order", input: { orderId: "42" } },
      { tool: "issue_refund", input: { orderId: "42", cents: 3900 } },
      { text: "I am sorry. 39.00 is on its way back to you." },
    ],
  },
  "late-kettle": {
    message: "Where is order 43?",
    turns: [
      { tool: "look_up_order", input: { orderId: "43" } },
      { text: "Your kettle has arrived, as far as we know. Is it not there?" },
    ],
  },
};

let turns: readonly Turn[] = [];
const model = createServer((request, response) => void answerAs(request, response));
async function answerAs(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { messages } = (await json(request)) as { messages: { role: string }[] };
  const n = messages.filter(({ role }) => role === "assistant").length;
  const turn = turns[n] ?? { text: "" };
  const message =
    "text" in turn
      ? { content: turn.text }
      : {
          tool_calls: [
            {
              id: `call_${n}`,
              type: "function",
              function: { name: turn.tool, arguments: JSON.stringify(turn.input) },
            },
          ],
        };
  const choice = { index: 0, finish_reason: "text" in turn ? "stop" : "tool_calls", message };
  response.writeHead(200, { "content-type": "application/json" });
  response.end(JSON.stringify({ id: `answer_${n}`, created: 0, model: "gpt-4o-mini", choices: [choice] }));
}
await new Promise<void>((resolve) => model.listen(0, "127.0.0.1", resolve));
process.env.MODEL_URL = `http://127.0.0.1:${(model.address() as AddressInfo).port}`;

const { answer } = await import("./support.ts");
const hf = await openHoldfast({ tools: { look_up_order: { effect: "read" } } });
for (const [id, { message, turns: script }] of Object.entries(runs)) {
  turns = script;
  await hf.runs.delete(id).catch(() => {});
  await hf.run(id, () => answer({ message }), { input: { message } });
  await hf.exportRun(id, {
    to: fileURLToPath(new URL(`../runs/${id}.jsonl`, import.meta.url)),
    redact: [/[\w.]+@[\w.]+/],
    vitest: { import: "answer", from: "../src/support.ts" },
  });
}
await hf.close();
model.close();
model.closeAllConnections();
