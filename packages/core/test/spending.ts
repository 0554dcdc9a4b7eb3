import { type Live, type Prices, type Usage, usd } from "../src/index.ts";
import { port } from "./agent.ts";

/** A token of output costs ten micro-dollars, and one of input nothing: what is held is ten times the output cap. */
export const prices: Prices = {
  m: { inputPerMillion: 0, outputPerMillion: usd(10) },
};

/** What a model has reported that has put out so much. */
export const used = (outputTokens: number): Usage => ({ inputTokens: 100, outputTokens });

export interface Asks {
  /** The output cap of the request. */
  readonly max?: number;
  /** What the model reports. Default: half of what it may say, as far as it is capped. */
  readonly uses?: number | undefined;
  readonly model?: string;
  readonly effect?: "once";
}

/** Asks a model that puts out what it is told to, and gives back the output cap that it was asked with. */
export const ask = (
  prompt: string,
  { max, uses = 10, model = "m", effect }: Asks = {},
  work: (live: Live<unknown>) => unknown = ({ maxOutputTokens }) => maxOutputTokens,
): Promise<unknown> =>
  port().step<unknown>(
    {
      kind: "model",
      name: `acme/${model}`,
      input: { prompt },
      model: { provider: "acme", model, maxOutputTokens: max },
      usage: () => used(uses),
      effect,
    },
    work,
  );
