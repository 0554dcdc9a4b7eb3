import { HoldfastError } from "../errors.ts";

/** Dollars have six decimals here: money is a whole number of micro-dollars. */
const MICROS = 1_000_000;

/** What binary fractions add to a decimal amount: 0.29 × 1,000,000 is 290000.00000000006. */
const NOISE = 1e-3;

/**
 * Dollars as whole micro-dollars: `usd(0.25)` is 250,000. A fraction of a micro-dollar is rounded up, so that nothing
 * becomes free. Throws INVALID_ARGUMENT for what is no amount: negative, not finite, over 9 billion dollars.
 */
export function usd(dollars: number): number {
  const exact = dollars * MICROS;
  if (typeof dollars !== "number" || !(exact >= 0) || exact > Number.MAX_SAFE_INTEGER) {
    throw new HoldfastError("INVALID_ARGUMENT", {
      argument: "usd()",
      why: `takes dollars from 0 to 9 billion, not ${String(dollars)}`,
    });
  }
  const nearest = Math.round(exact);
  return Math.abs(exact - nearest) < NOISE ? nearest : Math.ceil(exact);
}
