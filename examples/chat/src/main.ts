// OPENAI_BASE_URL, OPENAI_API_KEY, MODEL and PORT say what to talk to and where to listen; DATABASE_URL where the runs live.

import type { AddressInfo } from "node:net";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { openHoldfast } from "@holdfast/core";
import { tool } from "ai";
import { z } from "zod";
import { chatServer } from "./chat.ts";

const {
  OPENAI_BASE_URL = "https://api.openai.com/v1",
  OPENAI_API_KEY = "",
  MODEL = "gpt-4o-mini",
  PORT = "3000",
} = process.env;
const say = (at: string, more: object) => console.log(JSON.stringify({ at, ...more }));

const provider = createOpenAICompatible({ name: "openai", baseURL: OPENAI_BASE_URL, apiKey: OPENAI_API_KEY });
const remember = tool({
  description: "Remembers a fact about the user.",
  inputSchema: z.object({ fact: z.string() }),
  execute: async ({ fact }) => {
    say("remembered", { fact });
    return { remembered: fact };
  },
});

const hf = await openHoldfast();
const server = chatServer({ hf, model: provider(MODEL), tools: { remember } });
server.listen(Number(PORT), () => {
  say("listening", { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
});

// A deploy: the leases are handed back, and the next process goes on with what this one was at.
process.once("SIGTERM", () => {
  server.close();
  void hf.close({ graceSeconds: 5 }).then(() => process.exit());
});
