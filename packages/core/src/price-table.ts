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
  // A gateway names the provider in the model: openai/gpt-5.
  const [providerId, modelId] = provider === "gateway" ? splitFirst(model) : [provider, model];
  const found = calcPrice({ input_tokens: 0, output_tokens: 0 }, modelId, { providerId });
  return found ? priceInTable(found.model_price as TableRow, found.model.context_window) : undefined;
}

function splitFirst(model: string): [string, string] {
  const at = model.indexOf("/");
  return at < 0 ? ["", model] : [model.slice(0, at), model.slice(at + 1)];
}
