import { readFileSync } from "node:fs";
import { expect, test } from "vitest";

const read = (example: string, file: string) =>
  readFileSync(new URL(`../examples/${example}/${file}`, import.meta.url), "utf8");

/** Lines of the one that the other does not have. */
const beyond = (text: string, other: string) => {
  const known = new Set(other.split("\n"));
  return text.split("\n").filter((line) => line.trim() !== "" && !known.has(line));
};

test.each(["vercel-ai-refunds", "openai-agents-refunds", "langgraph-refunds"])(
  "%s is made durable by three changed lines at most, none of them a tool's, and its README shows them",
  (example) => {
    const [plain, durable] = [read(example, "src/plain.ts"), read(example, "src/durable.ts")];
    const [removed, added] = [beyond(plain, durable), beyond(durable, plain)];
    expect(added.length).toBeLessThanOrEqual(3);
    expect(removed.length).toBeLessThanOrEqual(added.length);
    const readme = read(example, "README.md").split("\n");
    for (const line of removed) expect(readme).toContain(`-${line}`);
    for (const line of added) expect(readme).toContain(`+${line}`);
  },
);
