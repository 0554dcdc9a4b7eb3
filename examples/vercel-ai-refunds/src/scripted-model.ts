import type { LanguageModelV4, LanguageModelV4CallOptions, LanguageModelV4Content } from "@ai-sdk/provider";

const call = (toolName: string, input: object): LanguageModelV4Content => ({
  type: "tool-call",
  toolCallId: `call_${crypto.randomUUID()}`,
  toolName,
  input: JSON.stringify(input),
});

const script: readonly (() => LanguageModelV4Content)[] = [
  () => call("lookup_order", { orderId: "42" }),
  () => call("issue_refund", { orderId: "42", cents: 3900 }),
  () =>
    call("email_customer", { to: "customer@example.com", body: "We have refunded 39.00 for the kettle." }),
  () => ({ type: "text", text: "Order 42 is refunded in full, and the customer has been told." }),
];

/** Stands in for a provider, so that no key is needed. How far the conversation is says which answer is next. */
export class ScriptedModel implements LanguageModelV4 {
  readonly specificationVersion = "v4";
  readonly provider = "scripted";
  readonly modelId = "support";
  readonly supportedUrls = {};

  async doGenerate({ prompt }: LanguageModelV4CallOptions) {
    const turn = prompt.filter(({ role }) => role === "assistant").length;
    console.log(`model asked, turn ${turn + 1}`);
    const said = script[turn]?.();
    const unified = said?.type === "tool-call" ? ("tool-calls" as const) : ("stop" as const);
    return {
      content: said ? [said] : [],
      finishReason: { unified, raw: undefined },
      usage: {
        inputTokens: { total: 100, noCache: 100, cacheRead: 0, cacheWrite: 0 },
        outputTokens: { total: 20, text: 20, reasoning: 0 },
      },
      warnings: [],
    };
  }

  doStream(): never {
    throw new Error("This script is not streamed.");
  }
}
