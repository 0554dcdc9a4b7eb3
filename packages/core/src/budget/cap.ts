import { HoldfastError } from "../errors.ts";
import { type Limits, UNITS } from "./amount.ts";

/**
 * How much may be spent: micro-dollars, as `usd()` gives them, or several limits at once:
 * `{ micros: usd(2), tokens: 100_000, calls: 50 }`.
 */
export type Cap = number | Limits;

/** What to do about a call that does not fit: shorten its answer, park the run, or fail it. */
export type OnLow = "clamp" | "park" | "fail";

/** A cap as limits. Throws INVALID_ARGUMENT for what is none: a limit that is not understood would let everything go. */
export function limitsOf(argument: string, cap: Cap): Limits {
  const refuse = (why: string) => new HoldfastError("INVALID_ARGUMENT", { argument, why });
  const limits = typeof cap === "number" ? { micros: cap } : cap;
  if (typeof limits !== "object" || limits === null) {
    throw refuse("must be an amount such as usd(2), or { micros, tokens, calls }");
  }
  const unknown = Object.keys(limits).find((unit) => !UNITS.includes(unit as never));
  if (unknown) throw refuse(`has no limit ${unknown}; it may have ${UNITS.join(", ")}`);
  const named = UNITS.filter((unit) => limits[unit] !== undefined);
  if (named.length === 0) throw refuse(`limits nothing; it may limit ${UNITS.join(", ")}`);
  for (const unit of named) {
    if (!Number.isSafeInteger(limits[unit]) || (limits[unit] as number) < 0) {
      throw refuse(`has ${unit} that are no whole number from 0; money is given by usd()`);
    }
  }
  return Object.fromEntries(named.map((unit) => [unit, limits[unit]]));
}
