import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { withDurability } from "@holdfast/vercel-ai";
import * as ai from "ai";

const { streamText } = withDurability(ai);
const provider = createOpenAICompatible({ name: "openai", baseURL: "https://api.openai.com/v1", apiKey: "" });
const model = provider("gpt-4o-mini");
declare function waitUntil(promise: Promise<unknown>): void;

// #region open
import { openHoldfast } from "@holdfast/core";
import pg from "pg";

const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 2 });
const hf = await openHoldfast({
  database: pool,
  migrate: false, // a deploy does that, once
  leaseSeconds: 10,
  outsideRun: "refuse",
});
// #endregion

// #region handler
export function POST(request: { id: string; prompt: string }): Response {
  const { value, done } = hf.stream(
    request.id,
    () => streamText({ model, prompt: request.prompt }), // without the request's signal
    { onLeased: "wait" },
  );
  waitUntil(done.catch((error: unknown) => console.error(error)));
  return value.toUIMessageStreamResponse();
}
// #endregion

// #region close
export async function answer(id: string, prompt: string, msLeft: () => number): Promise<string> {
  await using own = await openHoldfast({ database: pool, migrate: false, leaseSeconds: 10 });
  const timer = setTimeout(() => void own.close({ graceSeconds: 2 }), msLeft() - 5_000);
  try {
    return await own.run(id, async () => await streamText({ model, prompt }).text);
  } finally {
    clearTimeout(timer);
  }
}
// #endregion
