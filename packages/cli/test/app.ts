import type { Holdfast } from "@holdfast/core";

/** An app as a user writes it. */
export default function register(hf: Holdfast): void {
  hf.agent("adder", ({ a, b }: { a: number; b: number }) => a + b, { version: "1" });
}
