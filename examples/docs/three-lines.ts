import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
// #region three-lines
import { hf, withDurability } from "@holdfast/vercel-ai"; // 1: the import
import * as ai from "ai";

const { generateText } = withDurability(ai); // 2: the wrap

// #endregion
const provider = createOpenAICompatible({ name: "openai", baseURL: "https://api.openai.com/v1", apiKey: "" });
const model = provider("gpt-4o-mini");

// #region the-run
const answer = () => generateText({ model, prompt: "Write a reply to ticket 42." });
const { text } = await hf.run("ticket-42", () => answer()); // 3: the run
// #endregion
console.log(text);
