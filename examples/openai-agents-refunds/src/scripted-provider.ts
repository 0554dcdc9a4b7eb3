import type {
  AgentOutputItem,
  Model,
  ModelProvider,
  ModelRequest,
  ModelResponse,
  StreamEvent,
} from "@openai/agents";
import { Usage } from "@openai/agents";

const call = (name: string, input: object): AgentOutputItem => ({
  type: "function_call",
  callId: `call_${crypto.randomUUID()}`,
  name,
  status: "completed",
  arguments: JSON.stringify(input),
});

const says = (text: string): AgentOutputItem => ({
  type: "message",
  role: "assistant",
  status: "completed",
  content: [{ type: "output_text", text }],
});

const script: readonly (() => AgentOutputItem)[] = [
  () => call("transfer_to_Refunds", {}),
  () => call("lookup_order", { orderId: "42" }),
  () => call("issue_refund", { orderId: "42", cents: 3900 }),
  () =>
    call("email_customer", { to: "customer@example.com", body: "We have refunded 39.00 for the kettle." }),
  () => says("Order 42 is refunded in full, and the customer has been told."),
];

/** Stands in for a provider, so that no key is needed. How far the conversation is says which answer is next. */
class ScriptedModel implements Model {
  async getResponse({ input }: ModelRequest): Promise<ModelResponse> {
    const calls = typeof input === "string" ? [] : input.filter(({ type }) => type === "function_call");
    console.log(`model asked, turn ${calls.length + 1}`);
    const said = script[calls.length];
    return { usage: new Usage(), output: said ? [said()] : [] };
  }

  getStreamedResponse(): AsyncIterable<StreamEvent> {
    throw new Error("This script is not streamed.");
  }
}

export class ScriptedProvider implements ModelProvider {
  readonly #model = new ScriptedModel();

  getModel(): Model {
    return this.#model;
  }
}
