import { HoldfastError } from "../errors.ts";
import { fits } from "../glob.ts";

/** What a model costs, as it is declared under `prices`: whole micro-dollars, as `usd()` gives them. */
export interface ModelPrice {
  /** For a million tokens of input. */
  readonly inputPerMillion: number;
  /** For a million tokens of output, reasoning among them. */
  readonly outputPerMillion: number;
  /** For a million tokens of input that the provider had in its cache. Default: as other input. */
  readonly cachedInputPerMillion?: number;
  /** For a million tokens of input that the provider puts into its cache. Default: as other input. */
  readonly cacheWritePerMillion?: number;
  /** For each call, besides its tokens. Default 0. */
  readonly perCall?: number;
  /** The output cap, in tokens, that a request gets which names none. */
  readonly maxOutputTokens?: number;
}

/** By model (`gpt-5`) or `provider/model`; a glob (`acme/*`) stands for several, and `*` for all that is not known. */
export type Prices = Readonly<Record<string, ModelPrice>>;

/** Micro-dollars for a million tokens: of the tiers, the last one counts whose `above` the request's input exceeds. */
export type Rate = readonly { readonly above: number; readonly micros: number }[];

/** What a model costs, with every kind of token named. */
export interface Price {
  readonly input: Rate;
  readonly mediaInput: Rate; // the dearest kind that a request with images, audio or files may have
  readonly cachedInput: Rate;
  readonly cacheWrite: Rate;
  readonly longCacheWrite: Rate; // kept for an hour
  readonly output: Rate; // the dearest kind: an answer does not say how much of it is sound or image
  readonly perCall: number;
  readonly maxOutputTokens: number | undefined;
  readonly contextWindow: number | undefined;
}

const flat = (micros: number): Rate => [{ above: 0, micros }];

export function priceOf(declared: ModelPrice): Price {
  const { inputPerMillion, outputPerMillion, perCall = 0, maxOutputTokens } = declared;
  const { cachedInputPerMillion = inputPerMillion, cacheWritePerMillion = inputPerMillion } = declared;
  return {
    input: flat(inputPerMillion),
    mediaInput: flat(inputPerMillion),
    cachedInput: flat(cachedInputPerMillion),
    cacheWrite: flat(cacheWritePerMillion),
    longCacheWrite: flat(cacheWritePerMillion),
    output: flat(outputPerMillion),
    perCall,
    maxOutputTokens,
    contextWindow: undefined,
  };
}

/** What is declared of this model by its name or a glob. `*` alone is not among them: it is for what nobody knows. */
export function declaredPrice(prices: Prices, provider: string, model: string): ModelPrice | undefined {
  const names = [`${provider}/${model}`, model];
  for (const name of names) if (Object.hasOwn(prices, name)) return prices[name];
  for (const [pattern, price] of Object.entries(prices)) {
    if (pattern !== "*" && names.some((name) => fits(pattern, name))) return price;
  }
  return undefined;
}

export const defaultPrice = (prices: Prices): ModelPrice | undefined => prices["*"];

/** Prices of a table in dollars for a million tokens (…_mtok) or a thousand requests (…_kcount), by kind. */
export type TableRow = Readonly<Record<string, TablePrice | undefined>>;
type TablePrice = number | { readonly base: number; readonly tiers: readonly TableTier[] };
interface TableTier {
  readonly start: number;
  readonly price: number;
}

/** A row of the table. Undefined where it does not say what a token of input costs, or a call: that would be free. */
export function priceInTable(row: TableRow, contextWindow: number | undefined): Price | undefined {
  const rates = (kinds: RegExp) =>
    Object.entries(row).flatMap(([kind, price]) =>
      kinds.test(kind) && price !== undefined ? [rateOf(price)] : [],
    );
  const perCall = row.requests_kcount;
  const input = rates(/^input_mtok$/);
  if (input.length === 0) return undefined;
  const text = dearest(input);
  const or = (found: Rate[], otherwise: Rate) => (found.length > 0 ? dearest(found) : otherwise);
  const cacheWrite = or(rates(/^cache_write_mtok$/), text);
  return {
    input: text,
    mediaInput: dearest(rates(/^input_.*mtok$/)),
    cachedInput: or(rates(/^cache_(audio_|image_)?read_mtok$/), text),
    cacheWrite,
    longCacheWrite: or(rates(/^cache_write_.*mtok$/), cacheWrite),
    output: or(rates(/^output_.*mtok$/), flat(0)),
    perCall: typeof perCall === "number" ? Math.ceil((perCall * 1e6) / 1000) : 0,
    maxOutputTokens: undefined,
    contextWindow,
  };
}

/** Dollars have at most four decimals in the table; what binary fractions add is rounded away, the rest up. */
const microsOf = (dollars: number) => Math.ceil(Math.round(dollars * 1e9) / 1e3);

function rateOf(price: TablePrice): Rate {
  if (typeof price === "number") return flat(microsOf(price));
  const tiers = price.tiers.map(({ start, price }) => ({ above: start, micros: microsOf(price) }));
  return [{ above: 0, micros: microsOf(price.base) }, ...tiers.sort((a, b) => a.above - b.above)];
}

/** At every size of request the highest of these rates. */
function dearest(rates: readonly Rate[]): Rate {
  const steps = [...new Set(rates.flatMap((rate) => rate.map(({ above }) => above)))].sort((a, b) => a - b);
  return steps.map((above) => ({
    above,
    micros: Math.max(...rates.map((rate) => microsAt(rate, above + 1))),
  }));
}

/** What a million tokens cost in a request of so much input. */
export function microsAt(rate: Rate, inputTokens: number): number {
  let micros = 0;
  for (const tier of rate) if (tier.above === 0 || inputTokens > tier.above) micros = tier.micros;
  return micros;
}

const FIELDS = [
  "inputPerMillion",
  "outputPerMillion",
  "cachedInputPerMillion",
  "cacheWritePerMillion",
  "perCall",
  "maxOutputTokens",
] as const satisfies (keyof ModelPrice)[];

/** Throws INVALID_ARGUMENT: a price that is not understood must not make a model free. */
export function checkPrices(prices: Prices): void {
  for (const [model, price] of Object.entries(prices)) {
    const refuse = (why: string) =>
      new HoldfastError("INVALID_ARGUMENT", { argument: `prices["${model}"]`, why });
    if (typeof price !== "object" || price === null)
      throw refuse("must be { inputPerMillion, outputPerMillion }");
    const unknown = Object.keys(price).find((field) => !FIELDS.includes(field as never));
    if (unknown) throw refuse(`has no field ${unknown}; it may have ${FIELDS.join(", ")}`);
    for (const field of FIELDS) {
      const value = price[field];
      const isNeeded = field === "inputPerMillion" || field === "outputPerMillion";
      if (value === undefined && !isNeeded) continue;
      if (!Number.isSafeInteger(value) || (value as number) < 0) {
        throw refuse(`has ${field} that is no whole number from 0; money is given by usd()`);
      }
    }
  }
}
