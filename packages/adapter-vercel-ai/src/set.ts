import type { Hold } from "./hold.ts";
import type { LanguageModel, ModelRequest } from "./language-model.ts";

/** On a request that is what a replay says it is to be. */
export const IS_SET = Symbol("holdfast.set");

/** What is asked of whom: in a replay, what `set` says in place of the agent's own model and system prompt. */
export function withSet(
  { port }: Hold,
  model: LanguageModel,
  request: ModelRequest,
  named: ((id: string) => LanguageModel) | undefined,
): { readonly by: LanguageModel; readonly asked: ModelRequest } {
  if (!port.set) return { by: model, asked: request };
  const { model: wanted = model, prompt } = port.set;
  const by = typeof wanted === "string" && named ? named(wanted) : wanted;
  if (!isModel(by)) throw new TypeError("set.model is no language model of the AI SDK, nor the name of one");
  const asked = { ...request, [IS_SET]: true };
  return {
    by,
    asked: prompt === undefined ? asked : { ...asked, prompt: withSystem(request.prompt, prompt) },
  };
}

const isModel = (model: unknown): model is LanguageModel =>
  typeof model === "object" && model !== null && "doGenerate" in model && "doStream" in model;

function withSystem(messages: unknown, content: string): unknown[] {
  const said = messages as readonly { readonly role: string }[];
  const [first, ...rest] = said;
  return first?.role === "system" ? [{ ...first, content }, ...rest] : [{ role: "system", content }, ...said];
}
