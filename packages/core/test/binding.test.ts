import { fc, test as property } from "@fast-check/vitest";
import { expect, test } from "vitest";
import type { Answer, Entry, Fact, Question } from "../src/ledger/entry.ts";
import { type Binding, isBoundTo } from "../src/policy/binding.ts";
import { entriesOf, given, intended, resampled, started, took } from "../src/testing/given.ts";

const asked = (more: Partial<Question> = {}): Question => ({
  kind: "question",
  question: "q1",
  step: "pay#0",
  asks: "approval",
  call: "tool",
  name: "pay",
  digest: "d",
  shown: "s",
  text: "May pay be called?",
  decision: { then: "ask", rule: "money", policy: "1" },
  need: 1,
  ...more,
});

const said = (says: Answer["says"], more: Partial<Answer> = {}): Answer => ({
  kind: "answer",
  question: "q1",
  answer: "a",
  step: "pay#0",
  says,
  by: "ana",
  ...more,
});

const refusal = (question: string): Fact => ({
  kind: "refusal",
  step: "pay#0",
  name: "pay",
  digest: "d",
  reason: "no",
  question,
});

const questionOf = (question: Question) => entriesOf(question)[0] as Entry<Question>;
const binding: Binding = { runId: "r", step: "pay#0", digest: "d", shown: "s", policy: "1" };

test("a question is bound to the call that it was asked about", () => {
  expect(isBoundTo(questionOf(asked()), binding)).toBe(true);
});

property.prop([fc.constantFrom("runId", "step", "digest", "shown", "policy"), fc.string()])(
  "no mutation of a binding is taken for it",
  (field, other) => {
    fc.pre(other !== binding[field as keyof Binding]);
    expect(isBoundTo(questionOf(asked()), { ...binding, [field]: other })).toBe(false);
  },
);

property.prop([fc.constantFrom("step", "digest", "question"), fc.string({ minLength: 1 })])(
  "no ledger lets a call out by an answer to another question, about another step, or about other arguments",
  (field, other) => {
    const right = { digest: "d", question: "q1" };
    fc.pre(!["pay#0", "d", "q1"].includes(other) && !/[/#:=.%]/.test(other));
    const facts = [started, took(), asked(), said("approved")];
    const step = field === "step" ? other : "pay#0";
    const intent = intended(step, { ...right, ...(field === "step" ? {} : { [field]: other }) });
    expect(() => given(...facts, intended("pay#0", right))).not.toThrow();
    expect(() => given(...facts, intent)).toThrow("(LEDGER_CORRUPT)");
  },
);

test.each<[string, Fact[]]>([
  ["a call that nobody has approved yet", [asked(), intended("pay#0", { question: "q1" })]],
  ["a call that was not approved", [asked(), said("denied"), intended("pay#0", { question: "q1" })]],
  [
    "a call whose question was taken back",
    [asked(), said("withdrawn"), intended("pay#0", { question: "q1" })],
  ],
  [
    "a call that one of two has approved",
    [asked({ need: 2 }), said("approved"), intended("pay#0", { question: "q1" })],
  ],
  ["a call that one has approved twice", [asked({ need: 2 }), said("approved"), said("approved")]],
  ["a refusal of what was approved", [asked(), said("approved"), refusal("q1")]],
  ["a second use of one answer", [asked(), said("denied"), refusal("q1"), resampled("pay#0"), refusal("q1")]],
  ["an answer to a question that is settled", [asked(), said("approved"), said("denied", { by: "ben" })]],
  ["an answer to no question", [said("approved")]],
  ["an answer about another step", [asked(), said("approved", { step: "pay#1" })]],
  ["a question that was asked already", [asked(), asked()]],
])("a ledger cannot hold %s", (_, facts) => {
  expect(() => given(started, took(), ...facts)).toThrow("(LEDGER_CORRUPT)");
});

test("a call that goes out again under its key goes by the same answer", () => {
  const intent = intended("pay#0", { question: "q1", effect: "idempotent" });
  const run = given(started, took(), asked(), said("approved"), intent, took("crash"), intent);
  expect(run.questions.get("q1")).toMatchObject({ at: "approved", usedBy: 5 });
});
