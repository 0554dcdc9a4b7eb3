import type { Entry, Question } from "../ledger/entry.ts";

/** What a question is about, and an answer to it holds for: nothing else. */
export interface Binding {
  readonly runId: string;
  readonly step: string;
  /** Of the arguments as the model wrote them. */
  readonly digest: string;
  /** Of the arguments as they were shown, and the tool would be given them. */
  readonly shown: string;
  /** The policy's version. */
  readonly policy: string;
}

/** Is the question about this very call, under this very policy? */
export const isBoundTo = (question: Entry<Question>, call: Binding): boolean =>
  question.runId === call.runId &&
  question.step === call.step &&
  question.digest === call.digest &&
  question.shown === call.shown &&
  question.decision?.policy === call.policy;
