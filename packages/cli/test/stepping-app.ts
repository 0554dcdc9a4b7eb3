import { type Holdfast, step } from "@holdfast/core";

/** An app whose agent has a step. */
export default function register(hf: Holdfast): void {
  hf.agent("stepper", () => step("look", () => 1, { effect: "read" }));
}
