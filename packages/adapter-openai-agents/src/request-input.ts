import { type Asking, ask } from "@holdfast/core";
import { EFFECT } from "./mark.ts";

/** A function tool of the SDK that asks a person. `never` fits what each version makes of a tool. */
export interface RequestInput {
  readonly type: "function";
  readonly name: string;
  readonly description: string;
  readonly parameters: never;
  readonly strict: true;
  readonly invoke: never;
  readonly needsApproval: never;
  readonly isEnabled: never;
}

/**
 * A ready-made tool, named `requestInput` unless told otherwise: the model asks a person a question, and is given the
 * answer. The run waits for it without a process; `hf.questions.answer(id, { value, by })` gives it. An answer that does
 * not fit the `schema` is asked for again.
 */
export function requestInput<T = string>({
  name = "requestInput",
  description = "Asks a person for something that you need to know and cannot find out yourself, and waits for the answer.",
  ...asking
}: { readonly name?: string; readonly description?: string } & Omit<
  Asking<T>,
  "question"
> = {}): RequestInput {
  const tool = {
    type: "function",
    name,
    description,
    parameters,
    strict: true,
    invoke(_context: unknown, input: string) {
      const { question } = JSON.parse(input) as { question: string };
      return ask<T>({ ...asking, question });
    },
    needsApproval: async () => false,
    isEnabled: async () => true,
    // It touches nothing: an execution that goes on comes by the question again, and finds it answered.
    [EFFECT]: "read",
  };
  return tool as unknown as RequestInput;
}

const parameters = {
  type: "object",
  properties: { question: { type: "string", description: "The question, in full sentences." } },
  required: ["question"],
  additionalProperties: false,
};
