import type { Usage } from "../ledger/entry.ts";
import type { Price } from "./price.ts";
import { type AskedModel, type Counted, costOf, type WorstCase } from "./worst-case.ts";

/** What a call has cost, as its entry says it. */
export interface Cost {
  readonly cost?: number; // micro-dollars; none where its model has no price
  readonly usage?: Usage;
  readonly estimated?: true;
}

/** A model call that went out: on what its cost rests. */
export interface Billing {
  readonly asking: AskedModel;
  readonly counted: Counted;
  readonly price: Price | undefined;
  readonly worst: WorstCase;
}

/** The true cost, by the tokens that the provider reports. Where it reports none, the worst case is the estimate. */
export function settle(usage: Usage | undefined, billing: Billing): Cost {
  const { asking, counted, price, worst } = billing;
  if (!usage || !isReported(usage, asking)) {
    const output = worst.tokens - worst.inputTokens;
    return estimate({ inputTokens: worst.inputTokens, outputTokens: output }, billing, worst.micros);
  }
  return { usage, ...(price ? { cost: costOf(usage, counted, price) } : {}) };
}

/**
 * What a model call that failed has cost. Nothing where the provider turned it away; what had come of the answer, byte by
 * byte, where it broke off or was aborted in the middle; else it may have been billed whole.
 */
export function settleFailed(error: unknown, said: unknown, billing: Billing): Cost {
  const { counted, worst } = billing;
  if (said === undefined && isTurnedAway(error)) return { cost: 0 };
  if (said === undefined) return settle(undefined, billing);
  const most = worst.tokens - worst.inputTokens;
  const outputTokens = Math.min(most, Buffer.byteLength(JSON.stringify(said) ?? ""));
  return estimate({ inputTokens: counted.inputTokens, outputTokens }, billing, worst.micros);
}

function estimate(usage: Usage, { counted, price, asking }: Billing, most: number): Cost {
  const whole = { ...usage, outputTokens: asking.maxOutputTokens === 0 ? 0 : usage.outputTokens };
  return {
    usage: whole,
    ...(price ? { cost: Math.min(most, worstCostOf(whole, counted, price)) } : {}),
    estimated: true,
  };
}

/** As if all its input were put into the cache at the dearest rate: nobody said that it was not. */
const worstCostOf = (usage: Usage, counted: Counted, price: Price): number =>
  Math.max(
    costOf(usage, counted, price),
    costOf({ ...usage, cacheWriteTokens: usage.inputTokens }, counted, price),
  );

/** A provider that reports nothing, or zero of everything, has not said what to bill. */
function isReported({ inputTokens, outputTokens }: Usage, { maxOutputTokens }: AskedModel): boolean {
  const output = outputTokens ?? (maxOutputTokens === 0 ? 0 : undefined);
  if (!isCount(inputTokens) || !isCount(output)) return false;
  return inputTokens + output > 0;
}

const isCount = (tokens: number | undefined): tokens is number =>
  Number.isSafeInteger(tokens) && (tokens ?? -1) >= 0;

/** Node's names for a connection that never came about. */
const NEVER_CONNECTED = ["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN"];

/** Did the provider answer with an error, as HTTP tells it, or was it never reached? Then it bills nothing. */
function isTurnedAway(error: unknown): boolean {
  for (let at = error, depth = 0; typeof at === "object" && at !== null && depth < 8; depth++) {
    const { status, statusCode = status, code, cause } = at as Record<string, unknown>;
    if (typeof statusCode === "number" && statusCode >= 400) return true;
    if (typeof code === "string" && NEVER_CONNECTED.includes(code)) return true;
    at = cause;
  }
  return false;
}
