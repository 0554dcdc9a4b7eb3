import type { Usage } from "../ledger/entry.ts";
import type { Amount, Limits } from "./amount.ts";
import { microsAt, type Price, type Rate } from "./price.ts";

/** A model call, as far as budgets are concerned. */
export interface AskedModel {
  readonly provider: string;
  readonly model: string;
  /** The output cap that the request names, in tokens. Absent: it names none. 0: the model has no output to count. */
  readonly maxOutputTokens?: number | undefined;
  /** Tokens that the model may put out beyond that cap: to think. */
  readonly thinkingTokens?: number | undefined;
  /** Its output cap is the model's own, and is not changed by the call: `Live.maxOutputTokens` is not heeded. */
  readonly isCapFixed?: boolean | undefined;
  /** Its output is no text, and no request can cap it: under a cap in money it needs a price for a call. */
  readonly isPaidByCall?: boolean | undefined;
}

/** What a request holds at most, in tokens, and what makes its input dearer. */
export interface Counted {
  readonly inputTokens: number;
  readonly hasMedia: boolean;
  readonly hasLongCache: boolean;
}

/** A request without an output cap gets this one, or what is left: what models since 2024 accept as a cap. */
export const UNCAPPED_TOKENS = 16_384;
/** Below this some providers refuse an output cap (OpenAI's Responses API). */
export const FEWEST_TOKENS = 16;
/** An image is counted as so many tokens whatever its size: gpt-4o-mini bills up to 48,169 for one. */
export const IMAGE_TOKENS = 65_536;
/** What a chat template adds to a request, and to each of its items, beyond the text of its JSON. */
const REQUEST_TOKENS = 64;

/**
 * Counts a request: no tokenizer of bytes makes more tokens than the text has bytes of UTF-8, and the JSON of a message
 * is longer than what its chat template puts around it. Images count as IMAGE_TOKENS each, other files as their bytes.
 */
export function countInput(request: unknown, price?: Price): Counted {
  let bytes = 0;
  let hasMedia = false;
  let hasLongCache = false;
  const visit = (value: unknown, key: string): void => {
    if (typeof value === "string") {
      if (key === "ttl" && value === "1h") hasLongCache = true;
      bytes += Buffer.byteLength(value) + 2;
    } else if (value instanceof Uint8Array) bytes += value.byteLength;
    else if (value instanceof URL) bytes += value.href.length;
    else if (Array.isArray(value)) for (const item of value) visit(item, "");
    else if (typeof value === "object" && value !== null) {
      const isImage = isImagePart(value);
      if (isImage || isFilePart(value)) hasMedia = true;
      if (isImage) bytes += IMAGE_TOKENS;
      else {
        for (const [name, field] of Object.entries(value)) {
          bytes += Buffer.byteLength(name) + 4;
          visit(field, name);
        }
      }
    } else if (typeof value === "number" || typeof value === "bigint") bytes += String(value).length;
    else bytes += "false".length;
  };
  visit(request, "");
  const most = price?.contextWindow ?? Number.POSITIVE_INFINITY;
  return { inputTokens: Math.min(bytes + REQUEST_TOKENS, most), hasMedia, hasLongCache };
}

/** A part of a message, as the frameworks write it: `image`, `image_url`, `input_image`, or a file of that media type. */
function isImagePart(value: object): boolean {
  const { type, mediaType, mimeType } = value as Record<string, unknown>;
  if (typeof type === "string" && /^(input_)?image(_url)?$/.test(type)) return true;
  return [mediaType, mimeType].some((media) => typeof media === "string" && media.startsWith("image/"));
}

function isFilePart(value: object): boolean {
  const { type } = value as Record<string, unknown>;
  return typeof type === "string" && /^(input_)?(file|audio|document|media|video)$/.test(type);
}

/** What a model call may use up: its input as counted, its output at the cap. */
export interface WorstCase extends Amount {
  readonly inputTokens: number;
  /** The cap that the request goes out with. Undefined: there is no output to cap. */
  readonly maxOutputTokens: number | undefined;
}

/**
 * The most that a call can use of what is left: at the cap that the request names or, where it names none or may be
 * `shortened`, at what is left. Undefined: not even the shortest answer fits.
 */
export function worstCase(
  { maxOutputTokens: named, thinkingTokens = 0, isCapFixed = false }: AskedModel,
  counted: Counted,
  price: Price | undefined,
  left: Limits,
  shortened: boolean,
): WorstCase | undefined {
  const wanted = named ?? price?.maxOutputTokens ?? UNCAPPED_TOKENS;
  const most = mostOutput(counted, price, left) - thinkingTokens;
  const fewest = Math.min(wanted, FEWEST_TOKENS);
  const mayShorten = !isCapFixed && (shortened || named === undefined);
  const cap = mayShorten ? Math.min(wanted, most) : wanted;
  if ((left.calls ?? 1) < 1 || cap > most || cap < fewest) return undefined;
  const { inputTokens } = counted;
  const outputTokens = cap + thinkingTokens;
  return {
    micros: price ? worstMicros(counted, outputTokens, price) : 0,
    tokens: inputTokens + outputTokens,
    calls: 1,
    inputTokens,
    maxOutputTokens: wanted === 0 ? undefined : cap,
  };
}

/** How many tokens of output fit into what is left once the input is paid. Negative: not even that. */
function mostOutput(counted: Counted, price: Price | undefined, left: Limits): number {
  const { inputTokens } = counted;
  let most = Number.MAX_SAFE_INTEGER;
  if (left.tokens !== undefined) most = Math.min(most, left.tokens - inputTokens);
  if (left.micros !== undefined && price) {
    const room = BigInt(left.micros - price.perCall) * MILLION - worstInput(counted, price);
    const rate = BigInt(microsAt(price.output, inputTokens));
    if (room < 0n) most = -1;
    else if (rate > 0n && room / rate < BigInt(most)) most = Number(room / rate);
  }
  return most;
}

function worstMicros(counted: Counted, outputTokens: number, price: Price): number {
  const output = BigInt(outputTokens) * BigInt(microsAt(price.output, counted.inputTokens));
  return price.perCall + roundUp(worstInput(counted, price) + output);
}

/** In millionths of a micro-dollar: each token at the dearest rate that it may be billed at. */
function worstInput({ inputTokens, hasMedia, hasLongCache }: Counted, price: Price): bigint {
  const rates = [
    hasMedia ? price.mediaInput : price.input,
    price.cacheWrite,
    ...(hasLongCache ? [price.longCacheWrite] : []),
    price.cachedInput,
  ];
  return BigInt(inputTokens) * BigInt(Math.max(...rates.map((rate) => microsAt(rate, inputTokens))));
}

/** What a call has cost by the tokens that its provider reports. */
export function costOf(usage: Usage, { hasMedia, hasLongCache }: Counted, price: Price): number {
  const {
    inputTokens = 0,
    cachedInputTokens = 0,
    cacheWriteTokens = 0,
    outputTokens = 0,
    reasoningTokens = 0,
  } = usage;
  const at = (rate: Rate, tokens: number) => BigInt(tokens) * BigInt(microsAt(rate, inputTokens));
  const other = Math.max(0, inputTokens - cachedInputTokens - cacheWriteTokens);
  const input =
    at(hasMedia ? price.mediaInput : price.input, other) +
    at(price.cachedInput, cachedInputTokens) +
    at(hasLongCache ? price.longCacheWrite : price.cacheWrite, cacheWriteTokens);
  // Reasoning is part of the output. Where more of it is reported than of all output, the report counts it apart.
  const output = reasoningTokens > outputTokens ? outputTokens + reasoningTokens : outputTokens;
  return price.perCall + roundUp(input + at(price.output, output));
}

/** The tokens of input and output together. */
export function tokensOf({ inputTokens = 0, outputTokens = 0, reasoningTokens = 0 }: Usage): number {
  return inputTokens + (reasoningTokens > outputTokens ? outputTokens + reasoningTokens : outputTokens);
}

const MILLION = 1_000_000n;

const roundUp = (millionths: bigint): number => Number((millionths + MILLION - 1n) / MILLION);
