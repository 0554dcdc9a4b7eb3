import { type Asking, ask } from "@holdfast/core";
import { EFFECT } from "./mark.ts";

/** A tool that asks a person. */
export interface RequestInput<T> {
  readonly description: string;
  /** Read by the SDK alone. `never` fits the type that a schema has in each of its major versions. */
  readonly inputSchema: never;
  readonly execute: (input: { question: string }) => Promise<T>;
}

/**
 * A ready-made tool: the model asks a person a question, and is given the answer. The run waits for it without a process;
 * `hf.questions.answer(id, { value, by })` gives it. An answer that does not fit the `schema` is asked for again.
 */
export function requestInput<T = string>({
  description = "Asks a person for something that you need to know and cannot find out yourself, and waits for the answer.",
  ...asking
}: { readonly description?: string } & Omit<Asking<T>, "question"> = {}): RequestInput<T> {
  const tool = {
    description,
    inputSchema: question as never,
    execute: ({ question }: { question: string }) => ask<T>({ ...asking, question }),
    // It touches nothing: an execution that goes on comes by the question again, and finds it answered.
    [EFFECT]: "read",
  };
  return tool;
}

/** A schema as the SDK's own `jsonSchema()` makes it, in all major versions. */
const question = {
  [Symbol.for("vercel.ai.schema")]: true,
  [Symbol.for("vercel.ai.validator")]: true,
  _type: undefined,
  jsonSchema: {
    type: "object",
    properties: { question: { type: "string", description: "The question, in full sentences." } },
    required: ["question"],
    additionalProperties: false,
  },
  validate(value: unknown) {
    const isQuestion = typeof (value as { question?: unknown } | null)?.question === "string";
    return isQuestion
      ? { success: true, value }
      : { success: false, error: new Error("question must be a string") };
  },
};
