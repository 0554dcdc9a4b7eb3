import { type Asking, ask } from "@holdfast/core";
import { DynamicStructuredTool } from "@langchain/core/tools";
import { EFFECT } from "./hold-tool.ts";

/**
 * A ready-made tool, named `requestInput` unless told otherwise: the model asks a person a question, and is given the
 * answer. The run waits for it without a process; `hf.questions.answer(id, { value, by })` gives it, or a `Command` that
 * resumes the thread. An answer that does not fit the `schema` is asked for again.
 */
export function requestInput<T = string>({
  name = "requestInput",
  description = "Asks a person for something that you need to know and cannot find out yourself, and waits for the answer.",
  ...asking
}: {
  readonly name?: string;
  readonly description?: string;
} & Omit<Asking<T>, "question"> = {}): DynamicStructuredTool {
  const asks = ({ question }: { question: string }) => ask<T>({ ...asking, question });
  const tool = new DynamicStructuredTool({ name, description, schema, func: asks });
  // It touches nothing: an execution that goes on comes by the question again, and finds it answered.
  return Object.assign(tool, { [EFFECT]: "read" });
}

const schema = {
  type: "object",
  properties: { question: { type: "string", description: "The question, in full sentences." } },
  required: ["question"],
  additionalProperties: false,
} as const;
