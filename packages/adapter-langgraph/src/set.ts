import type { Port } from "@holdfast/core";
import { SystemMessage } from "@langchain/core/messages";
import type { CallOptions, ChatModel } from "./chat-model.ts";
import { isMessage } from "./kept.ts";

/** The model that is asked: in a replay, what `set` says in place of the graph's own. */
export function modelOf<M extends ChatModel>({ set }: Port, own: M): M {
  const model = set?.model ?? own;
  if (isLike(model, own)) return model;
  throw new TypeError("set.model is no chat model of LangChain: pass the model, not its name");
}

/**
 * What a model is asked: in a replay, with what `set` says in place of the system message. Tools were bound for the graph's
 * own model: another kind of model may want them in another form.
 */
export function messagesOf(
  { set }: Port,
  { own, by }: { readonly own: ChatModel; readonly by: ChatModel },
  messages: readonly unknown[],
  { tools }: CallOptions,
): readonly unknown[] {
  if (Array.isArray(tools) && tools.length > 0 && own._llmType() !== by._llmType()) {
    const why = `tools are bound for ${own._llmType()}, and it is ${by._llmType()}: change the code instead`;
    throw new TypeError(`set.model cannot be asked: ${why}`);
  }
  if (set?.prompt === undefined) return messages;
  const [first, ...rest] = messages;
  const isSystem = isMessage(first) && first._getType() === "system";
  return [new SystemMessage(set.prompt), ...(isSystem ? rest : messages)];
}

/** A chat model, with what all of them have. */
const isLike = <M extends ChatModel>(model: unknown, _own: M): model is M =>
  typeof model === "object" && model !== null && "_generate" in model && "_llmType" in model;
