import {
  declaredPrice,
  defaultPrice,
  type Price,
  type Prices,
  priceInTable,
  priceOf,
  type TableRow,
} from "./budget/price.ts";

/** Loaded when a price is first asked for: half a megabyte that a process without budgets has no use for. */
let loading: Promise<typeof import("@pydantic/genai-prices")> | undefined;

/**
 * What a model costs: as declared by its name or a glob, else by the table of @pydantic/genai-prices, else as declared for
 * `*`. Undefined: nobody knows.
 */
export async function findPrice(prices: Prices, provider: string, model: string): Promise<Price | undefined> {
  const declared = declaredPrice(prices, provider, model);
  if (declared) return priceOf(declared);
  loading ??= import("@pydantic/genai-prices");
  const found = findInTable(await loading, provider, model);
  if (found) return found;
  const otherwise = defaultPrice(prices);
  return otherwise && priceOf(otherwise);
}

function findInTable(
  { calcPrice }: typeof import("@pydantic/genai-prices"),
  provider: string,
  model: string,
): Price | undefined {
  for (const [providerId, modelId] of namesInTable(provider, model)) {
    const found = calcPrice({ input_tokens: 0, output_tokens: 0 }, modelId, { providerId });
    if (found) return priceInTable(found.model_price as TableRow, found.model.context_window);
  }
  return undefined;
}

/**
 * What the table may know a model by. A gateway names the provider in the model (`openai/gpt-5`); the AI SDK says which of
 * a provider's APIs it asks (`groq.chat`). A model that the provider has no price for is not looked for elsewhere.
 */
function namesInTable(provider: string, model: string): [provider: string, model: string][] {
  const [first = provider] = provider.split(".");
  if (first !== "gateway") return [...new Set([provider, first])].map((name) => [name, model]);
  const at = model.indexOf("/");
  return at < 0 ? [] : [[model.slice(0, at), model.slice(at + 1)]];
}
