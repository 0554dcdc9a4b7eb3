import type { Asked, ChatModel } from "./chat-model.ts";

/*
 * What a model may answer at most is a field of the model in some of LangChain's classes, and an option of the call in
 * others. Both are known here by their names, and neither is trusted: a cap is set only if the parameters that the model
 * makes of it then say so.
 */

/** What parameters call the cap: of OpenAI and those like it, Anthropic, Mistral; of Google; of Bedrock; of Ollama. */
const NAMES = [
  "max_tokens",
  "max_completion_tokens",
  "max_output_tokens",
  "maxTokens",
  "maxOutputTokens",
  "num_predict",
];
/** Where in the parameters they stand: at the top, or in one of these. */
const GROUPS = ["generationConfig", "inferenceConfig", "options"];
/** What models and call options of LangChain call it. */
const OPTIONS = ["maxTokens", "maxOutputTokens", "max_tokens", "max_completion_tokens"];
const FIELDS = ["maxTokens", "maxOutputTokens", "numPredict"];

/** The output cap that a request's parameters name, for each answer: the highest, should they name several. */
export function capIn(params: unknown): number | undefined {
  const told = fieldsOf(params);
  const caps = [told, ...GROUPS.map((group) => fieldsOf(told[group]))].flatMap((fields) =>
    NAMES.map((name) => fields[name]).filter((cap) => typeof cap === "number" && cap >= 0),
  ) as number[];
  return caps.length > 0 ? Math.max(...caps) : undefined;
}

/** How many answers are asked for: each may be as long as the cap. */
export function answersIn(params: unknown): number {
  const { n } = fieldsOf(params);
  return typeof n === "number" && n > 1 ? n : 1;
}

/** Tokens of the cap that are there to think with. As Anthropic has it: below them a cap is refused. */
export function thinkingIn(params: unknown): number {
  const { budget_tokens: budget } = fieldsOf(fieldsOf(params).thinking);
  return typeof budget === "number" ? budget : 0;
}

/** The same model, or the same options, with this output cap. Undefined: there is no way that this model is known to heed. */
export function withCap<M extends ChatModel>(
  { model, options }: Asked<M>,
  cap: number,
): Asked<M> | undefined {
  const byOptions = OPTIONS.map((name) => ({ model, options: { ...options, [name]: cap } }));
  const byField = FIELDS.filter((field) => field in model).map((field) => ({
    model: withField(model, field, cap),
    options,
  }));
  return [...byOptions, ...byField].find((asked) => capOf(asked) === cap);
}

function capOf({ model, options }: Asked<ChatModel>): number | undefined {
  try {
    return capIn(model.invocationParams?.(options));
  } catch {
    return undefined; // a class with private fields, say: it is no way
  }
}

/** The same object with another value of one field, also in the models that it hands its calls on to. */
function withField<T extends object>(original: T, field: string, value: unknown): T {
  const inner = new WeakMap<object, object>();
  return new Proxy(original, {
    get(target, name, receiver) {
      if (name === field) return value;
      const found: unknown = Reflect.get(target, name, receiver);
      if (!isModelWith(field, found)) return found;
      const known = inner.get(found) ?? withField(found, field, value);
      inner.set(found, known);
      return known;
    },
    set: (target, name, set) => Reflect.set(target, name, set),
  });
}

const isModelWith = (field: string, value: unknown): value is object =>
  typeof value === "object" &&
  value !== null &&
  field in value &&
  typeof (value as Partial<ChatModel>).invocationParams === "function";

const fieldsOf = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
