import { BaseChatModel } from "@langchain/core/language_models/chat_models";
import { AIMessage, type BaseMessage } from "@langchain/core/messages";
import type { ChatResult } from "@langchain/core/outputs";

const call = (name: string, args: Record<string, unknown>) =>
  new AIMessage({
    content: "",
    tool_calls: [{ type: "tool_call", id: `call_${crypto.randomUUID()}`, name, args }],
  });

const script: readonly (() => AIMessage)[] = [
  () => call("lookup_order", { orderId: "42" }),
  () => call("issue_refund", { orderId: "42", cents: 3900 }),
  () =>
    call("email_customer", { to: "customer@example.com", body: "We have refunded 39.00 for the kettle." }),
  () => new AIMessage("Order 42 is refunded in full, and the customer has been told."),
];

/** Stands in for a provider, so that no key is needed. How far the conversation is says which answer is next. */
export class ScriptedChat extends BaseChatModel {
  override _llmType(): string {
    return "scripted";
  }

  override bindTools(): this {
    return this;
  }

  override async _generate(messages: BaseMessage[]): Promise<ChatResult> {
    const turn = messages.filter((message) => message.getType() === "ai").length;
    console.log(`model asked, turn ${turn + 1}`);
    const message = script[turn]?.() ?? new AIMessage("There is nothing more to do.");
    return { generations: [{ message, text: message.text }] };
  }
}
