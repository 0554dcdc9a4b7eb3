// #region three-lines
import { hf, withDurability } from "@holdfast/openai-agents"; // 1: the import
import { Agent, Runner, run } from "@openai/agents";

withDurability(Runner); // 2: the run hook, once

// #endregion
const support = new Agent({ name: "Support", instructions: "You answer tickets." });

// #region the-run
const { finalOutput } = await hf.run("ticket-42", () => run(support, "Write a reply to ticket 42.")); // 3: the run
// #endregion
console.log(finalOutput);
