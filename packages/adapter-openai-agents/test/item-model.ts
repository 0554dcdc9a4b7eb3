/** One item of an answer, as the SDK's protocol has it. */
export type Item = Readonly<Record<string, unknown>> & { readonly type: string };

interface Request {
  readonly input: string | readonly { readonly providerData?: { readonly turn?: number } }[];
  readonly signal?: AbortSignal;
  readonly [field: string]: unknown;
}

/**
 * A model in this process with a script: what it says in each turn, item by item. Which turn is next is said by the
 * conversation: each item that it gave is marked with its turn. Streaming, it says a text word by word.
 */
export class ItemModel {
  readonly asked: Request[] = [];
  /** What it does before it answers: a turn that fails, or waits. */
  before: (request: Request, turn: number) => unknown = () => {};
  readonly #turns: readonly (readonly Item[])[];

  constructor(...turns: readonly (readonly Item[])[]) {
    this.#turns = turns;
  }

  async getResponse(request: Request) {
    const { id, ...answer } = await this.#answer(request);
    return { ...answer, responseId: id };
  }

  async *getStreamedResponse(request: Request) {
    const response = await this.#answer(request);
    yield { type: "response_started" };
    for (const delta of response.output.flatMap(wordsOf)) yield { type: "output_text_delta", delta };
    yield { type: "response_done", response };
  }

  async #answer(request: Request) {
    const turn = turnOf(request);
    this.asked.push(request);
    await this.before(request, turn);
    const said = this.#turns[turn];
    if (!said) throw new Error(`there is no turn ${turn}`);
    const output = said.map((item) => ({ ...item, providerData: { ...(item.providerData ?? {}), turn } }));
    const usage = {
      requests: 1,
      inputTokens: 100,
      outputTokens: 20,
      totalTokens: 120,
      inputTokensDetails: [{ cached_tokens: 40 }],
      outputTokensDetails: [{ reasoning_tokens: 7 }],
    };
    return { id: `resp_${crypto.randomUUID()}`, usage, output };
  }
}

function turnOf({ input }: Request): number {
  if (typeof input === "string") return 0;
  return Math.max(-1, ...input.map(({ providerData }) => providerData?.turn ?? -1)) + 1;
}

const wordsOf = ({ content }: Readonly<Record<string, unknown>>): string[] =>
  Array.isArray(content) ? content.flatMap(({ text }) => text?.match(/\S+\s*/g) ?? []) : [];

export const says = (text: string): Item => ({
  type: "message",
  role: "assistant",
  status: "completed",
  content: [{ type: "output_text", text }],
});

/** A call of a function tool, or a handoff. Its id is random, so that a repeated call is never mistaken for a recorded one. */
export const calls = (name: string, input: object = {}): Item => ({
  type: "function_call",
  callId: `call_${crypto.randomUUID()}`,
  name,
  status: "completed",
  arguments: JSON.stringify(input),
});
