/** What budgets count, each a whole number. */
export interface Amount {
  readonly micros: number; // micro-dollars
  readonly tokens: number; // of input and output together
  readonly calls: number; // of models and tools
}

/** The most of each; what is not named is not limited. */
export type Limits = { readonly [U in keyof Amount]?: number | undefined };

export const UNITS = ["micros", "tokens", "calls"] as const satisfies (keyof Amount)[];

export const NOTHING: Amount = { micros: 0, tokens: 0, calls: 0 };

export const plus = (one: Amount, other: Amount): Amount => ({
  micros: one.micros + other.micros,
  tokens: one.tokens + other.tokens,
  calls: one.calls + other.calls,
});

export const minus = (one: Amount, other: Amount): Amount => ({
  micros: one.micros - other.micros,
  tokens: one.tokens - other.tokens,
  calls: one.calls - other.calls,
});

/** What is left under limits once so much is used. Never below zero. */
export function leftOf(limits: Limits, used: Amount): Limits {
  const left: { -readonly [U in keyof Limits]: Limits[U] } = {};
  for (const unit of UNITS) {
    const limit = limits[unit];
    if (limit !== undefined) left[unit] = Math.max(0, limit - used[unit]);
  }
  return left;
}

export const fits = (amount: Amount, left: Limits): boolean =>
  UNITS.every((unit) => amount[unit] <= (left[unit] ?? Number.POSITIVE_INFINITY));

/** The tighter of both, unit by unit. */
export function tighter(one: Limits, other: Limits): Limits {
  const both: { -readonly [U in keyof Limits]: Limits[U] } = { ...one };
  for (const unit of UNITS) {
    const limit = other[unit];
    if (limit !== undefined) both[unit] = Math.min(limit, one[unit] ?? limit);
  }
  return both;
}
