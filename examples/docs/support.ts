import { step } from "@holdfast/core";

export const answer = ({ question }: { question: string }): Promise<string> =>
  step("answer", () => question.toUpperCase());
