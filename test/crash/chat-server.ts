import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { openHoldfast } from "@holdfast/core";
import { agentOf, taskOf } from "./agent.ts";

/** A server whose every request is about the one run of its task: it is answered with the run's text as it comes. */
const task = taskOf(process.argv[2]);
const say = (at: string, more: object = {}) => process.stdout.write(`${JSON.stringify({ at, ...more })}\n`);
const { ai, settings, prompt } = await agentOf(task);
const hf = await openHoldfast({ database: task.database });

const server = createServer((_, response) => {
  const { value } = hf.stream(task.runId, () => ai.streamText({ ...settings, prompt }));
  value.pipeTextStreamToResponse(response);
  response.on("close", () => {
    if (!response.writableFinished) say("client gone");
  });
});
server.listen(0, "127.0.0.1", () => {
  say("listening", { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
});
